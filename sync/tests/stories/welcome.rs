//! What a welcome says of leases, between a center and a device of different ages.

use minicbor::{Decode, Encode};
use sync::frame::{Agreement, Lease, Welcome, decode, encode};

/// The welcome as it was before there were leases.
#[derive(Debug, PartialEq, Eq, Encode, Decode)]
struct OldWelcome {
    #[n(0)]
    incarnation: u64,
    #[n(1)]
    now_ms: i64,
    #[n(2)]
    agreement: Agreement,
    #[n(3)]
    dictionary: u16,
}

#[test]
fn a_welcome_without_leases_is_as_it_was_and_an_older_device_reads_one_with_them() {
    let old = OldWelcome {
        incarnation: 7,
        now_ms: 9,
        agreement: Agreement::Agreed,
        dictionary: 1,
    };
    let mut welcome = Welcome {
        incarnation: 7,
        now_ms: 9,
        agreement: Agreement::Agreed,
        dictionary: 1,
        leases: None,
    };
    assert_eq!(encode(&welcome), encode(&old));
    assert_eq!(decode::<Welcome>(&encode(&old)).unwrap(), welcome);
    welcome.leases = Some(vec![Lease {
        agency: "mallory-so".into(),
        compartment: 3,
        minutes: 60,
    }]);
    assert_eq!(decode::<Welcome>(&encode(&welcome)).unwrap(), welcome);
    assert_eq!(decode::<OldWelcome>(&encode(&welcome)).unwrap(), old);
}
