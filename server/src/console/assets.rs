//! The console's styles and scripts, inside the binary: the page needs no network
//! but its own center, and no file beside the program.

/// A file that the pages ask for under `/assets/`.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// The whole path of the route.
    pub path: &'static str,
    pub content_type: &'static str,
    pub body: &'static str,
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

/// All of them; the pages refer to no other.
pub const ASSETS: &[Asset] = &[
    Asset {
        path: "/assets/htmx.min.js",
        content_type: JAVASCRIPT,
        body: include_str!("../../../assets/htmx.min.js"),
    },
    Asset {
        path: "/assets/ws.min.js",
        content_type: JAVASCRIPT,
        body: include_str!("../../../assets/ws.min.js"),
    },
    Asset {
        path: "/assets/live.js",
        content_type: JAVASCRIPT,
        body: include_str!("../../../assets/live.js"),
    },
    Asset {
        path: "/assets/icon.svg",
        content_type: "image/svg+xml",
        body: include_str!("../../../assets/icon.svg"),
    },
    Asset {
        path: "/assets/console.js",
        content_type: JAVASCRIPT,
        body: include_str!("../../assets/console.js"),
    },
    Asset {
        path: "/assets/passkey.js",
        content_type: JAVASCRIPT,
        body: include_str!("../../assets/passkey.js"),
    },
    Asset {
        path: "/assets/session.js",
        content_type: JAVASCRIPT,
        body: include_str!("../../assets/session.js"),
    },
    Asset {
        path: "/assets/sign-in.js",
        content_type: JAVASCRIPT,
        body: include_str!("../../assets/sign-in.js"),
    },
    Asset {
        path: "/assets/console.css",
        content_type: CSS,
        body: include_str!("../../assets/console.css"),
    },
];
