//! Who is at a provider now, and which officers have come back from one.
//!
//! Both are in memory and short-lived: a restart in the middle of a sign-in costs a second
//! one. Each is good once, for the browser or the device that began it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use openidconnect::{Nonce, PkceCodeVerifier};
use packet::DeviceNumber;

use super::Wanted;

/// How long a person may take at the provider.
pub(super) const ASKED_MS_MAX: i64 = 10 * 60 * 1_000;
/// Most who are there at a time; then the first who went is forgotten.
const ASKED_MAX: usize = 4_096;
/// How long an officer who is back from the provider may take to sign on.
pub(super) const PROOF_MS_MAX: i64 = 5 * 60 * 1_000;

/// Who began, and alone may go on.
pub(super) trait Asker {
    /// Most who are there at a time and crowd each other; then it is their own first who is
    /// forgotten: one who asks again and again puts nobody else out.
    const CROWD_MAX: usize;

    fn crowds(&self, other: &Self) -> bool;
}

pub(super) struct Browser {
    /// The hash of the secret in its cookie.
    pub(super) secret: Vec<u8>,
    pub(super) from: Option<IpAddr>,
    pub(super) wanted: Wanted,
}

impl Asker for Browser {
    /// Behind a proxy all have one address.
    const CROWD_MAX: usize = 512;

    fn crowds(&self, other: &Self) -> bool {
        self.from == other.from
    }
}

pub(super) struct Device {
    pub(super) number: DeviceNumber,
    /// On which the shift is to be.
    pub(super) unit: String,
}

impl Asker for Device {
    /// It asks one thing at a time.
    const CROWD_MAX: usize = 1;

    fn crowds(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

pub(super) struct Asked<A> {
    pub(super) expires_ms: i64,
    pub(super) agency: String,
    pub(super) redirect: String,
    pub(super) verifier: PkceCodeVerifier,
    pub(super) nonce: Nonce,
    pub(super) by: A,
}

/// By the state that they bring back.
pub(super) struct Waiting<A>(Mutex<HashMap<String, Asked<A>>>);

impl<A> Default for Waiting<A> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<A: Asker> Waiting<A> {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Asked<A>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, state: String, asked: Asked<A>, now_ms: i64) {
        let mut waiting = self.lock();
        waiting.retain(|_, before| before.expires_ms > now_ms);
        forget_first(&mut waiting, A::CROWD_MAX, |before| {
            asked.by.crowds(&before.by)
        });
        forget_first(&mut waiting, ASKED_MAX, |_| true);
        waiting.insert(state, asked);
    }

    /// Takes it away, for who began it: whoever brings a state of another's spends nothing.
    pub(super) fn take(
        &self,
        state: &str,
        is_mine: impl FnOnce(&A) -> bool,
        now_ms: i64,
    ) -> Option<Asked<A>> {
        let mut waiting = self.lock();
        waiting.get(state).filter(|asked| is_mine(&asked.by))?;
        let asked = waiting.remove(state);
        asked.filter(|asked| asked.expires_ms > now_ms)
    }
}

/// Makes room for one more among these.
fn forget_first<A>(
    waiting: &mut HashMap<String, Asked<A>>,
    max: usize,
    among: impl Fn(&Asked<A>) -> bool,
) {
    let these = || waiting.iter().filter(|(_, asked)| among(asked));
    if these().count() < max {
        return;
    }
    let first = these().min_by_key(|(_, asked)| asked.expires_ms);
    if let Some(first) = first.map(|(state, _)| state.clone()) {
        waiting.remove(&first);
    }
}

/// An officer whom the provider has signed in for this unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) hash: Vec<u8>,
    pub(super) badge: String,
    pub(super) unit: String,
    pub(super) expires_ms: i64,
}

/// One for a device at most: the newest.
#[derive(Default)]
pub(super) struct Proofs(Mutex<HashMap<DeviceNumber, Proof>>);

impl Proofs {
    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceNumber, Proof>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, device: DeviceNumber, proof: Proof, now_ms: i64) {
        let mut proofs = self.lock();
        proofs.retain(|_, before| before.expires_ms > now_ms);
        proofs.insert(device, proof);
    }

    /// Spends the device's, where it is this one; what does not fit spends nothing.
    pub(super) fn spend(&self, device: DeviceNumber, shown: &Proof, now_ms: i64) -> bool {
        let mut proofs = self.lock();
        let fits = proofs.get(&device).is_some_and(|proof| {
            proof.hash == shown.hash
                && proof.badge == shown.badge
                && proof.unit == shown.unit
                && proof.expires_ms > now_ms
        });
        if fits {
            proofs.remove(&device);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn asked<A>(by: A, at_ms: i64) -> Asked<A> {
        Asked {
            expires_ms: at_ms + ASKED_MS_MAX,
            agency: "pd".into(),
            redirect: String::new(),
            verifier: PkceCodeVerifier::new("x".repeat(43)),
            nonce: Nonce::new_random(),
            by,
        }
    }

    fn browser(number: usize, from: [u8; 4]) -> Browser {
        Browser {
            secret: number.to_be_bytes().into(),
            from: Some(from.into()),
            wanted: Wanted::SignIn { to: "/".into() },
        }
    }

    fn is(number: usize) -> impl Fn(&Browser) -> bool {
        move |browser| browser.secret == number.to_be_bytes()
    }

    #[test]
    fn one_who_asks_again_and_again_puts_nobody_else_out() {
        let waiting = Waiting::default();
        waiting.put("hers".into(), asked(browser(0, [10, 0, 0, 1]), 0), 0);
        for number in 1..=2 * ASKED_MAX {
            let at_ms = i64::try_from(number).unwrap();
            let one = asked(browser(number, [10, 0, 0, 2]), at_ms);
            waiting.put(number.to_string(), one, at_ms);
        }
        assert!(waiting.lock().len() <= Browser::CROWD_MAX + 1);
        assert!(waiting.take("hers", is(0), 1).is_some());
    }

    #[test]
    fn from_many_addresses_too_only_so_many_wait() {
        let waiting = Waiting::default();
        for number in 0..=ASKED_MAX {
            let [.., a, b] = number.to_be_bytes();
            let one = asked(browser(number, [10, 0, a, b]), 0);
            waiting.put(number.to_string(), one, 0);
        }
        assert_eq!(waiting.lock().len(), ASKED_MAX);
    }

    #[test]
    fn a_device_asks_one_thing_at_a_time() {
        let waiting = Waiting::default();
        let device = |number| Device {
            number: DeviceNumber(number),
            unit: "1A1".into(),
        };
        let is = |number| move |device: &Device| device.number == DeviceNumber(number);
        waiting.put("first".into(), asked(device(7), 0), 0);
        waiting.put("other's".into(), asked(device(8), 0), 0);
        waiting.put("second".into(), asked(device(7), 1), 1);
        assert!(waiting.take("first", is(7), 2).is_none());
        assert!(waiting.take("other's", is(7), 2).is_none());
        assert!(waiting.take("other's", is(8), 2).is_some());
        assert!(waiting.take("second", is(7), 2).is_some());
        assert!(waiting.take("second", is(7), 2).is_none(), "once");
    }

    #[test]
    fn a_proof_is_good_once_and_for_what_it_was_made_for() {
        let proofs = Proofs::default();
        let proof = Proof {
            hash: vec![1],
            badge: "101".into(),
            unit: "1A1".into(),
            expires_ms: 10,
        };
        let device = DeviceNumber(7);
        proofs.put(device, proof.clone(), 0);
        let other = |change: fn(&mut Proof)| {
            let mut other = proof.clone();
            change(&mut other);
            other
        };
        for not in [
            other(|proof| proof.hash = vec![2]),
            other(|proof| proof.badge = "102".into()),
            other(|proof| proof.unit = "1A2".into()),
        ] {
            assert!(!proofs.spend(device, &not, 1), "{not:?}");
        }
        assert!(!proofs.spend(DeviceNumber(8), &proof, 1));
        assert!(!proofs.spend(device, &proof, 10), "too late");
        assert!(proofs.spend(device, &proof, 9));
        assert!(!proofs.spend(device, &proof, 9), "once");
    }
}
