//! The border, as text: each type, function and field that the packages give an app.
//!
//! Read from the metadata that UniFFI leaves in the library, so it says what is there and
//! not what a header was thought to say. Comments are no part of it. Its first line bears a
//! fingerprint of the rest, which the packages' changelog has to name.

use std::collections::BTreeMap;
use std::fmt::Write;

use uniffi_bindgen::macro_metadata::extract_from_library;
use uniffi_meta::{
    DefaultValueMetadata, FieldMetadata, FnParamMetadata, LiteralMetadata, Metadata, ObjectImpl,
    Type,
};

/// # Errors
/// When the file cannot be read, or is no library with UniFFI's metadata.
pub(crate) fn library(path: &str) -> Result<String, String> {
    let items = extract_from_library(path.as_ref()).map_err(|error| error.to_string())?;
    if items.is_empty() {
        return Err("it holds no metadata of UniFFI".into());
    }
    let body = body(items);
    let fingerprint = fingerprint(&body);
    Ok(format!(
        "# The border of the packages, fingerprint {fingerprint}: written by \
         `cargo xtask bindings`, never by hand.\n{body}"
    ))
}

fn body(items: Vec<Metadata>) -> String {
    // By the type's name; what belongs to a type stands under it.
    let mut types: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    let mut members: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for item in items {
        match item {
            Metadata::Record(record) => {
                let fields = record.fields.iter().map(field).collect();
                types.insert(record.name, ("record".into(), fields));
            }
            Metadata::Enum(kind) => {
                let head = if kind.shape.is_error() {
                    "error"
                } else {
                    "enum"
                };
                let variant = |variant: &uniffi_meta::VariantMetadata| {
                    let fields: Vec<_> = variant.fields.iter().map(field).collect();
                    match fields.as_slice() {
                        [] => variant.name.clone(),
                        fields => format!("{}({})", variant.name, fields.join(", ")),
                    }
                };
                let variants = kind.variants.iter().map(variant).collect();
                types.insert(kind.name, (head.into(), variants));
            }
            Metadata::Object(object) => {
                let head = match object.imp {
                    ObjectImpl::Struct => "object",
                    ObjectImpl::Trait(_) => "given by the app",
                };
                types.insert(object.name, (head.into(), Vec::new()));
            }
            Metadata::CallbackInterface(interface) => {
                types.insert(interface.name, ("given by the app".into(), Vec::new()));
            }
            Metadata::Constructor(made) => {
                let line = function(&made.name, made.is_async, &made.inputs, None, made.throws);
                let line = format!("new {line}");
                members.entry(made.self_name).or_default().push(line);
            }
            Metadata::Method(method) => {
                let (inputs, result) = (&method.inputs, method.return_type);
                let line = function(&method.name, method.is_async, inputs, result, method.throws);
                members.entry(method.self_name).or_default().push(line);
            }
            Metadata::TraitMethod(method) => {
                let (inputs, result) = (&method.inputs, method.return_type);
                let line = function(&method.name, method.is_async, inputs, result, method.throws);
                members.entry(method.trait_name).or_default().push(line);
            }
            Metadata::Func(free) => {
                let line = function(
                    &free.name,
                    free.is_async,
                    &free.inputs,
                    free.return_type,
                    free.throws,
                );
                members.entry("(functions)".into()).or_default().push(line);
            }
            Metadata::CustomType(custom) => {
                types.insert(
                    custom.name,
                    (format!("{} as", type_name(&custom.builtin)), vec![]),
                );
            }
            Metadata::Namespace(_)
            | Metadata::UdlFile(_)
            | Metadata::UniffiTrait(_)
            | Metadata::ObjectTraitImpl(_) => {}
        }
    }
    for (of, mut lines) in members {
        lines.sort();
        let (_, all) = types.entry(of).or_default();
        all.extend(lines);
    }
    let mut text = String::new();
    for (name, (head, lines)) in types {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n{head} {name}");
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

fn function(
    name: &str,
    is_async: bool,
    inputs: &[FnParamMetadata],
    result: Option<Type>,
    throws: Option<Type>,
) -> String {
    let inputs: Vec<_> = inputs
        .iter()
        .map(|input| {
            let default = default(input.default.as_ref());
            format!("{}: {}{default}", input.name, type_name(&input.ty))
        })
        .collect();
    let word = if is_async { "async " } else { "" };
    let result = result.map_or_else(String::new, |ty| format!(" -> {}", type_name(&ty)));
    let throws = throws.map_or_else(String::new, |ty| format!(" or {}", type_name(&ty)));
    format!("{word}{name}({}){result}{throws}", inputs.join(", "))
}

fn field(field: &FieldMetadata) -> String {
    let default = default(field.default.as_ref());
    format!("{}: {}{default}", field.name, type_name(&field.ty))
}

fn default(value: Option<&DefaultValueMetadata>) -> String {
    match value {
        None => String::new(),
        Some(DefaultValueMetadata::Default) => " = default".into(),
        Some(DefaultValueMetadata::Literal(LiteralMetadata::None)) => " = none".into(),
        Some(DefaultValueMetadata::Literal(literal)) => format!(" = {literal:?}"),
    }
}

fn type_name(ty: &Type) -> String {
    match ty {
        Type::UInt8 => "u8".into(),
        Type::Int8 => "i8".into(),
        Type::UInt16 => "u16".into(),
        Type::Int16 => "i16".into(),
        Type::UInt32 => "u32".into(),
        Type::Int32 => "i32".into(),
        Type::UInt64 => "u64".into(),
        Type::Int64 => "i64".into(),
        Type::Float32 => "f32".into(),
        Type::Float64 => "f64".into(),
        Type::Boolean => "bool".into(),
        Type::String => "string".into(),
        Type::Bytes => "bytes".into(),
        Type::Timestamp => "timestamp".into(),
        Type::Duration => "duration".into(),
        Type::Object { name, .. }
        | Type::Record { name, .. }
        | Type::Enum { name, .. }
        | Type::CallbackInterface { name, .. }
        | Type::Custom { name, .. } => name.clone(),
        Type::Box { inner_type } => type_name(inner_type),
        Type::Optional { inner_type } => format!("{}?", type_name(inner_type)),
        Type::Sequence { inner_type } => format!("[{}]", type_name(inner_type)),
        Type::Set { inner_type } => format!("set of {}", type_name(inner_type)),
        Type::Map {
            key_type,
            value_type,
        } => format!("{} to {}", type_name(key_type), type_name(value_type)),
    }
}

/// FNV-1a, 64 bits: it tells a change that was forgotten, not one that is hidden.
fn fingerprint(text: &str) -> String {
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let hash = text.bytes().fold(START, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_fnv_1a_and_any_change_of_the_border_changes_it() {
        // The algorithm's published test values.
        assert_eq!(fingerprint(""), "cbf29ce484222325");
        assert_eq!(fingerprint("foobar"), "85944171f73967e8");
        let call = |ty| {
            let input = FnParamMetadata::simple("call", ty);
            function("packet", false, &[input], None, None)
        };
        let (text, number) = (call(Type::String), call(Type::UInt64));
        assert_eq!(text, "packet(call: string)");
        assert_ne!(fingerprint(&text), fingerprint(&number));
    }
}
