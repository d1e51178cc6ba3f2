//! A link as slow as a radio's, made by the kernel: a network namespace that is reached over
//! one pair of virtual interfaces, each of which lets so many bits a second through
//! (`tc-tbf(8)`). Here TCP's own windows, retransmissions and queues are in play, which a
//! proxy in user space hides.
//!
//! It needs root and `ip` and `tc` (iproute2); where they are not to be had, the test that
//! wants it is skipped, and says so.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::process::{Command, id};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::wait::skipped;

/// What the interface may send at once, at least one packet of [`MTU_BYTES`].
const BURST_BYTES: u32 = 700;
/// Small, so that a caution waits for one packet's time and not for a long one's.
const MTU_BYTES: u32 = 576;
/// What waits for the link, as in a modem; what comes on top is lost.
const QUEUE_BYTES: u32 = 8_000;

#[derive(Debug)]
pub struct KernelLink {
    namespace: String,
    near: String,
    /// This end, where the center listens.
    pub address: IpAddr,
}

impl KernelLink {
    /// A link of so many bits a second each way; `None` where this machine makes none.
    #[must_use]
    pub fn lay(test: &str, bits_per_s: u32) -> Option<Self> {
        // Of the addresses for benchmarks (RFC 2544, appendix C.2.2); a pair for each process.
        let process = id().to_be_bytes();
        let (net, pair) = (process[2], process[3] & !3);
        let link = Self {
            namespace: format!("forerunner{}", id()),
            near: format!("fr{}", id()),
            address: IpAddr::V4(Ipv4Addr::new(198, 18, net, pair | 1)),
        };
        let far = Ipv4Addr::new(198, 18, net, pair | 2);
        let Self {
            namespace,
            near,
            address,
        } = &link;
        let rate = format!("rate {bits_per_s}bit burst {BURST_BYTES} limit {QUEUE_BYTES}");
        let all = [
            format!("ip netns add {namespace}"),
            format!(
                "ip link add {near} mtu {MTU_BYTES} type veth peer name far mtu {MTU_BYTES} netns {namespace}"
            ),
            format!("ip address add {address}/30 dev {near}"),
            format!("ip -n {namespace} address add {far}/30 dev far"),
            format!("tc qdisc add dev {near} root tbf {rate}"),
            format!("tc -n {namespace} qdisc add dev far root tbf {rate}"),
            format!("ip link set {near} up"),
            format!("ip -n {namespace} link set far up"),
        ];
        for command in &all {
            if let Err(why) = run(command) {
                skipped(
                    test,
                    &format!("this machine makes no slow link: {command}: {why}"),
                );
                return None;
            }
        }
        Some(link)
    }

    /// From here on this thread, and no other, has no network but the link's far end.
    pub fn enter(&self) {
        let namespace = File::open(format!("/run/netns/{}", self.namespace)).unwrap();
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(namespace.as_fd(), kind).unwrap();
    }
}

impl Drop for KernelLink {
    /// The interfaces go with the namespace.
    fn drop(&mut self) {
        let _ = run(&format!("ip netns del {}", self.namespace));
    }
}

fn run(command: &str) -> Result<(), String> {
    let mut words = command.split(' ');
    let program = words.next().unwrap_or_default();
    let output = Command::new(program).args(words).output();
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}
