//! The officer's page's styles and scripts, inside the binary: in a dead zone
//! there is nothing to load them from.

/// A file that the page asks for under `/assets/`.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// The whole path of the route.
    pub path: &'static str,
    pub content_type: &'static str,
    pub body: &'static str,
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

/// All of them; the page refers to no other.
pub const ASSETS: &[Asset] = &[
    Asset {
        path: "/assets/htmx.min.js",
        content_type: JAVASCRIPT,
        body: include_str!("../../assets/htmx.min.js"),
    },
    Asset {
        path: "/assets/ws.min.js",
        content_type: JAVASCRIPT,
        body: include_str!("../../assets/ws.min.js"),
    },
    Asset {
        path: "/assets/live.js",
        content_type: JAVASCRIPT,
        body: include_str!("../../assets/live.js"),
    },
    Asset {
        path: "/assets/icon.svg",
        content_type: "image/svg+xml",
        body: include_str!("../../assets/icon.svg"),
    },
    Asset {
        path: "/assets/mdt.js",
        content_type: JAVASCRIPT,
        body: include_str!("../assets/mdt.js"),
    },
    Asset {
        path: "/assets/mdt.css",
        content_type: CSS,
        body: include_str!("../assets/mdt.css"),
    },
];
