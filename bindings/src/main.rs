//! UniFFI's generator, as a program of this workspace: an installed one of another
//! version than the library's would write bindings that refuse to load.

fn main() {
    uniffi::uniffi_bindgen_main();
}
