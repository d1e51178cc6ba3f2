//! The regions of a page, and which of them the page does not have yet.

use std::collections::HashMap;

use askama::Template;

use crate::present::Look;
use crate::view::HeaderView;

/// Of the open packet, in the order in which they are sent.
const OF_A_PACKET: [&str; 12] = [
    "summary",
    "glance",
    "known",
    "my-status",
    "cautions",
    "facts",
    "findings",
    "intel",
    "notes",
    "units",
    "sources",
    "shown-through",
];

/// What a page was sent last, by region.
#[derive(Debug, Default)]
pub(super) struct Regions(HashMap<&'static str, String>);

impl Regions {
    /// One message with every region that changed; `#shown-through` last, after the
    /// content that it names.
    pub(super) fn news(
        &mut self,
        look: &Look,
        has_call: bool,
        header_due: bool,
    ) -> Result<String, askama::Error> {
        let mut message = String::new();
        // The time alone is no news.
        let without_time = HeaderView {
            now_ms: 0,
            ..look.header.clone()
        };
        if self.is_news("header", &without_time.render()?) || header_due {
            message.push_str(&look.header.render()?);
        }
        // First of all: what may not be seen any more is covered before it goes.
        self.add(&mut message, "lock", look.lock.render()?);
        self.add(&mut message, "alerts", look.alerts.render()?);
        self.add(&mut message, "calls", look.calls.render()?);
        match &look.packet {
            Some(packet) => {
                let htmls = [
                    packet.summary.render()?,
                    packet.glance.render()?,
                    packet.known.render()?,
                    packet.status.render()?,
                    packet.cautions.render()?,
                    packet.facts.render()?,
                    packet.findings.render()?,
                    packet.intel.render()?,
                    packet.notes.render()?,
                    packet.units.render()?,
                    packet.sources.render()?,
                    packet.shown_through.render()?,
                ];
                for (region, html) in OF_A_PACKET.into_iter().zip(htmls) {
                    self.add(&mut message, region, html);
                }
            }
            // It was taken from this device, or the shift ended, while the page was open; or
            // while its socket was away, so that what was sent on this one says nothing of
            // what the page holds. One without these regions takes no notice.
            None if has_call => {
                for region in OF_A_PACKET {
                    let words = match region {
                        "summary" => "<h1>This call is not shown here any more.</h1>",
                        _ => "",
                    };
                    let html =
                        format!("<section id=\"{region}\" hx-swap-oob=\"true\">{words}</section>");
                    self.add(&mut message, region, html);
                }
            }
            None => {}
        }
        Ok(message)
    }

    fn add(&mut self, message: &mut String, region: &'static str, html: String) {
        if self.is_news(region, &html) {
            message.push_str(&html);
        }
    }

    fn is_news(&mut self, region: &'static str, html: &str) -> bool {
        if self.0.get(region).is_some_and(|sent| sent == html) {
            return false;
        }
        self.0.insert(region, html.to_owned());
        true
    }
}
