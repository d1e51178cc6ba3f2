//! PIDF-LO: a place as XML (RFC 4119, RFC 5139 civic addresses, RFC 5491 shapes).
//!
//! The XML comes from strangers: no DTD (so no entity expands), and a limit on
//! nodes.

use roxmltree::{Document, Node, ParsingOptions};

use crate::intake::report::{LATITUDE_DEGREES_MAX, LONGITUDE_DEGREES_MAX, in_range};

const NODES_MAX: u32 = 2000;
/// Most corners of a polygon that are read.
const CORNERS_MAX: usize = 1000;
/// A degree of latitude, on the earth's mean radius.
const METERS_PER_DEGREE: f64 = 111_195.0;
/// Shapes whose `pos` is their middle; a polygon's corner is not where it is.
const SHAPES_WITH_MIDDLE: [&str; 5] = ["Point", "Circle", "Ellipse", "Sphere", "Ellipsoid"];

#[derive(Debug, Default, PartialEq)]
pub(super) struct PidfLo {
    pub(super) civic: Option<String>,
    /// Latitude, longitude.
    pub(super) point: Option<(f64, f64)>,
    pub(super) radius_meters: Option<f64>,
}

/// The first address and the first point in `xml`.
pub(super) fn read(xml: &str) -> Result<PidfLo, &'static str> {
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: NODES_MAX,
        ..ParsingOptions::default()
    };
    let document =
        Document::parse_with_options(xml.trim(), options).map_err(|_| "its XML is broken")?;
    let civic = document.descendants().find(|node| is(node, "civicAddress"));
    let pos = document.descendants().find(|node| {
        is(node, "pos")
            && node
                .parent()
                .is_some_and(|shape| SHAPES_WITH_MIDDLE.iter().any(|name| is(&shape, name)))
    });
    let (point, radius_meters) = match pos {
        Some(pos) => (Some(point(pos)?), radius(pos)),
        None => {
            let area = document.descendants().find(|node| is(node, "Polygon"));
            area.map(polygon).transpose()?.flatten().unzip()
        }
    };
    Ok(PidfLo {
        civic: civic.and_then(address),
        point,
        radius_meters,
    })
}

fn radius(pos: Node<'_, '_>) -> Option<f64> {
    let shape = pos.parent()?;
    let radius = shape.children().find(|node| is(node, "radius"))?;
    let meters: f64 = radius.text()?.trim().parse().ok()?;
    (meters.is_finite() && meters >= 0.0).then_some(meters)
}

/// A latitude and longitude, and a distance in metres.
type Around = ((f64, f64), f64);

/// The middle of a polygon, and how far its farthest corner is from there, in metres. A
/// polygon without an inside has neither.
fn polygon(shape: Node<'_, '_>) -> Result<Option<Around>, &'static str> {
    wgs84(shape)?;
    let corners = corners(shape)?;
    let (Some(first), true) = (corners.first().copied(), corners.len() >= 3) else {
        return Ok(None);
    };
    // Shoelace, about the first corner: near zero, no digits are lost. It closes itself.
    let (mut twice_area, mut latitude, mut longitude) = (0.0, 0.0, 0.0);
    let around = corners.iter().skip(1).chain(corners.first());
    for (a, b) in corners.iter().zip(around) {
        let (a, b) = (
            (a.0 - first.0, a.1 - first.1),
            (b.0 - first.0, b.1 - first.1),
        );
        let cross = a.0 * b.1 - b.0 * a.1;
        twice_area += cross;
        latitude += (a.0 + b.0) * cross;
        longitude += (a.1 + b.1) * cross;
    }
    if twice_area == 0.0 {
        return Ok(None);
    }
    let middle = (
        first.0 + latitude / (3.0 * twice_area),
        first.1 + longitude / (3.0 * twice_area),
    );
    let meters = |corner: &(f64, f64)| {
        let east = (corner.1 - middle.1) * middle.0.to_radians().cos();
        (corner.0 - middle.0).hypot(east) * METERS_PER_DEGREE
    };
    let farthest = corners.iter().map(meters).fold(0.0, f64::max);
    Ok(
        (in_range(middle.0, LATITUDE_DEGREES_MAX) && in_range(middle.1, LONGITUDE_DEGREES_MAX))
            .then_some((middle, farthest)),
    )
}

/// The corners of the outer ring: each a `pos`, or all in a `posList`.
fn corners(shape: Node<'_, '_>) -> Result<Vec<(f64, f64)>, &'static str> {
    let ring = shape.descendants().find(|node| is(node, "LinearRing"));
    let Some(ring) = ring else {
        return Ok(Vec::new());
    };
    let mut corners = Vec::new();
    for node in ring.children() {
        if is(&node, "pos") {
            corners.push(point(node)?);
        } else if is(&node, "posList") {
            let dimensions = match node.attribute("srsDimension") {
                Some("3") => 3,
                _ => 2,
            };
            let numbers: Vec<&str> = node.text().unwrap_or_default().split_whitespace().collect();
            for corner in numbers.chunks(dimensions).take(CORNERS_MAX + 1) {
                corners.push(pair(corner.iter().copied())?);
            }
        }
        if corners.len() > CORNERS_MAX {
            return Err("it has too many corners");
        }
    }
    Ok(corners)
}

fn is(node: &Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

fn wgs84(node: Node<'_, '_>) -> Result<(), &'static str> {
    let system = node
        .attribute("srsName")
        .or_else(|| node.parent()?.attribute("srsName"));
    if system.is_some_and(|name| !name.ends_with("4326") && !name.ends_with("4979")) {
        return Err("its coordinates are not WGS 84");
    }
    Ok(())
}

fn point(pos: Node<'_, '_>) -> Result<(f64, f64), &'static str> {
    wgs84(pos)?;
    pair(pos.text().unwrap_or_default().split_whitespace())
}

fn pair<'t>(numbers: impl Iterator<Item = &'t str>) -> Result<(f64, f64), &'static str> {
    let mut numbers = numbers.map(str::parse::<f64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(latitude)), Some(Ok(longitude)))
            if in_range(latitude, LATITUDE_DEGREES_MAX)
                && in_range(longitude, LONGITUDE_DEGREES_MAX) =>
        {
            Ok((latitude, longitude))
        }
        _ => Err("its coordinates are no latitude and longitude"),
    }
}

/// `42 N Main Street, Unit 3, Wilmington, DE`.
fn address(civic: Node<'_, '_>) -> Option<String> {
    let part = |name: &str| {
        let node = civic.children().find(|node| is(node, name))?;
        let text = node.text()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let street: Vec<_> = [
        part("HNO"),
        part("HNS"),
        part("PRD"),
        part("RD").or_else(|| part("A6")),
        part("STS"),
        part("POD"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let named = |label: &str, name: &str| part(name).map(|text| format!("{label} {text}"));
    let parts: Vec<_> = [
        (!street.is_empty()).then(|| street.join(" ")),
        part("BLD"),
        named("Unit", "UNIT"),
        named("Floor", "FLR"),
        named("Room", "ROOM"),
        part("LOC"),
        part("NAM").or_else(|| part("LMK")),
        part("A5"),
        part("A4"),
        part("A3").or_else(|| part("A2")),
        part("A1"),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GML: &str =
        r#"<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:gml="g" xmlns:gs="s">"#;

    fn shape(inside: &str) -> String {
        format!("{GML}{inside}</presence>")
    }

    #[test]
    fn a_point_is_latitude_then_longitude() {
        let xml = shape(
            r#"<gml:Point srsName="urn:ogc:def:crs:EPSG::4326"><gml:pos>43.04 -87.91</gml:pos></gml:Point>"#,
        );
        assert_eq!(read(&xml).unwrap().point, Some((43.04, -87.91)));
    }

    #[test]
    fn a_circle_says_how_good_it_is() {
        let xml = shape(
            "<gs:Circle><gml:pos>43.04 -87.91 200</gml:pos><gs:radius uom=\"m\">350</gs:radius></gs:Circle>",
        );
        let place = read(&xml).unwrap();
        assert_eq!(
            (place.point, place.radius_meters),
            (Some((43.04, -87.91)), Some(350.0))
        );
    }

    #[test]
    fn the_corner_of_a_polygon_is_no_point() {
        let xml = shape(
            "<gml:Polygon><gml:exterior><gml:LinearRing><gml:pos>43 -87</gml:pos></gml:LinearRing></gml:exterior></gml:Polygon>",
        );
        assert_eq!(read(&xml).unwrap().point, None);
    }

    #[test]
    fn the_middle_of_a_polygon_is_a_point_that_says_how_far_its_corners_are() {
        let ring = |inside: &str| {
            let xml = format!(
                "<gml:Polygon srsName=\"urn:ogc:def:crs:EPSG::4326\"><gml:exterior><gml:LinearRing>{inside}</gml:LinearRing></gml:exterior></gml:Polygon>"
            );
            read(&shape(&xml)).unwrap()
        };
        let posed = ring(
            "<gml:pos>43.0 -88.0</gml:pos><gml:pos>43.0 -87.0</gml:pos><gml:pos>44.0 -87.0</gml:pos><gml:pos>44.0 -88.0</gml:pos><gml:pos>43.0 -88.0</gml:pos>",
        );
        let (latitude, longitude) = posed.point.unwrap();
        assert!(
            (latitude - 43.5).abs() < 1e-9 && (longitude + 87.5).abs() < 1e-9,
            "{posed:?}"
        );
        // Half a degree north, and half a degree east at 43.5° (40.3 km).
        let meters = posed.radius_meters.unwrap();
        assert!((meters - 68_700.0).abs() < 200.0, "{meters}");
        let listed = ring(
            "<gml:posList>43.0 -88.0 43.0 -87.0 44.0 -87.0 44.0 -88.0 43.0 -88.0</gml:posList>",
        );
        assert_eq!(listed, posed);
        let flat = ring(
            "<gml:posList srsDimension=\"3\">43 -88 200 43.5 -88 200 44 -88 200</gml:posList>",
        );
        assert_eq!((flat.point, flat.radius_meters), (None, None));
        let many = format!(
            "<gml:Polygon><gml:LinearRing><gml:posList>{}</gml:posList></gml:LinearRing></gml:Polygon>",
            "43 -88 ".repeat(1001)
        );
        assert!(read(&shape(&many)).is_err());
    }

    #[test]
    fn an_address_reads_as_people_write_it() {
        let xml = shape(
            "<civicAddress><country>US</country><A1>WI</A1><A3>Cedarport</A3><A6>Elm</A6><STS>St</STS><HNO>12</HNO><UNIT>3</UNIT><PRD> N </PRD><POD/></civicAddress>",
        );
        assert_eq!(
            read(&xml).unwrap().civic.unwrap(),
            "12 N Elm St, Unit 3, Cedarport, WI"
        );
    }

    #[test]
    fn points_that_are_not_on_earth_or_in_another_system_are_not_read() {
        for pos in [
            "91 0",
            "0 181",
            "NaN 0",
            "inf 0",
            "43.0",
            "",
            "north west",
            "43,04 -87,91",
        ] {
            assert!(
                read(&shape(&format!(
                    "<gml:Point><gml:pos>{pos}</gml:pos></gml:Point>"
                )))
                .is_err(),
                "{pos}"
            );
        }
        let grid = r#"<gml:Point srsName="urn:ogc:def:crs:EPSG::32616"><gml:pos>43 -87</gml:pos></gml:Point>"#;
        assert!(read(&shape(grid)).is_err());
    }

    #[test]
    fn hostile_xml_is_refused_and_not_expanded() {
        let bomb = r#"<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>"#;
        assert!(read(bomb).is_err());
        assert!(read(&"<a>".repeat(200_000)).is_err());
        assert!(read(&format!("<a>{}</a>", "<b/>".repeat(5000))).is_err());
        assert!(read("").is_err());
        assert!(read("<presence").is_err());
    }
}
