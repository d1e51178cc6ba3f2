#![allow(clippy::unwrap_used)]

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::*;

/// Leaves in memory, kept as the store keeps them.
struct Kept(Vec<Hash>);

impl Blocks for &Kept {
    type Error = (u8, u64);

    fn block(&self, level: u8, block: u64) -> Result<Vec<Hash>, Self::Error> {
        let (from, span) = (block * BLOCK, 1_u64 << level);
        let whole = self.0.len() as u64 / span;
        let hashes = (from..whole.min(from + BLOCK)).map(|position| {
            let at = (position * span) as usize;
            by_definition(&self.0[at..at + span as usize])
        });
        Ok(hashes.collect())
    }

    fn missing(&self, level: u8, position: u64) -> Self::Error {
        (level, position)
    }
}

/// Section 2.1, word for word.
fn by_definition(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [one] => *one,
        many => {
            let k = split(many.len() as u64) as usize;
            node_hash(&by_definition(&many[..k]), &by_definition(&many[k..]))
        }
    }
}

fn hex(text: &str) -> Hash {
    Hash(
        HEXLOWER
            .decode(text.as_bytes())
            .unwrap()
            .try_into()
            .unwrap(),
    )
}

/// The leaves and roots of the reference implementation of Certificate Transparency
/// (google/certificate-transparency, `merkletree`; also transparency-dev/merkle,
/// `testonly/constants.go`).
const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn reference() -> Kept {
    let leaf = |text: &&str| leaf_hash(&HEXLOWER.decode(text.as_bytes()).unwrap());
    Kept(LEAVES.iter().map(leaf).collect())
}

#[test]
fn roots_are_those_of_the_reference_implementation() {
    let kept = reference();
    let mut tree = Tree::new(&kept);
    let mut edge = Edge::default();
    for (size, root) in ROOTS.iter().enumerate() {
        assert_eq!(tree.root(size as u64).unwrap(), hex(root), "of {size}");
        assert_eq!(edge.root(), hex(root), "of {size}, by its edge");
        if let Some(leaf) = kept.0.get(size) {
            edge.add(*leaf, |_, _, _| {});
        }
    }
}

#[test]
fn proofs_are_those_of_the_reference_implementation() {
    let kept = reference();
    let mut tree = Tree::new(&kept);
    for (leaf, size, path) in [
        (0, 1, &[][..]),
        (
            0,
            8,
            &[
                "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
            ],
        ),
        (
            5,
            8,
            &[
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
    ] {
        let wanted: Vec<Hash> = path.iter().map(|hash| hex(hash)).collect();
        assert_eq!(tree.inclusion(leaf, size).unwrap(), wanted, "{leaf} {size}");
    }
    for (former, size, proof) in [
        (1, 1, &[][..]),
        (
            6,
            8,
            &[
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ],
        ),
        (
            2,
            5,
            &[
                "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            ],
        ),
    ] {
        let wanted: Vec<Hash> = proof.iter().map(|hash| hex(hash)).collect();
        let found = tree.consistency(former, size).unwrap();
        assert_eq!(found, wanted, "{former} {size}");
    }
}

fn some_leaves(count: usize) -> Kept {
    Kept((0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_leaf_is_proved_to_be_in_the_tree_and_nothing_else_is(
        size in 1_usize..1_500, leaf in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(), bit in 0_usize..256,
    ) {
        let kept = some_leaves(size);
        let mut tree = Tree::new(&kept);
        let (at, size) = (leaf.index(size), size as u64);
        let root = tree.root(size).unwrap();
        prop_assert_eq!(root, by_definition(&kept.0));
        let path = tree.inclusion(at as u64, size).unwrap();
        prop_assert!(is_included(&kept.0[at], at as u64, size, &path, &root));
        let another = other.index(kept.0.len());
        prop_assert_eq!(is_included(&kept.0[another], at as u64, size, &path, &root), another == at);
        prop_assert_eq!(is_included(&kept.0[at], another as u64, size, &path, &root), another == at);
        let mut wrong = root;
        wrong.0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!is_included(&kept.0[at], at as u64, size, &path, &wrong));
        for part in 0..path.len() {
            let mut wrong = path.clone();
            wrong[part].0[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!is_included(&kept.0[at], at as u64, size, &wrong, &root));
            let mut short = path.clone();
            short.remove(part);
            prop_assert!(!is_included(&kept.0[at], at as u64, size, &short, &root));
        }
    }

    #[test]
    fn a_tree_is_proved_to_begin_with_a_former_one_and_with_no_other(
        size in 1_usize..1_500, former in any::<prop::sample::Index>(), changed in any::<prop::sample::Index>(),
    ) {
        let former = 1 + former.index(size);
        let mut kept = some_leaves(size);
        let old_root = by_definition(&kept.0[..former]);
        let changed = changed.index(size);
        let honest = {
            let mut tree = Tree::new(&kept);
            (tree.root(size as u64).unwrap(), tree.consistency(former as u64, size as u64).unwrap())
        };
        prop_assert!(is_consistent(former as u64, &old_root, size as u64, &honest.0, &honest.1));
        kept.0[changed] = leaf_hash(b"changed");
        let forged = {
            let mut tree = Tree::new(&kept);
            (tree.root(size as u64).unwrap(), tree.consistency(former as u64, size as u64).unwrap())
        };
        let holds = is_consistent(former as u64, &old_root, size as u64, &forged.0, &forged.1);
        prop_assert_eq!(holds, changed >= former);
    }

    #[test]
    fn an_edge_has_the_trees_root_and_names_each_whole_subtree(size in 0_usize..1_200, from in any::<prop::sample::Index>()) {
        let kept = some_leaves(size);
        let mut edge = Edge::default();
        let mut eights = Vec::new();
        for leaf in &kept.0 {
            edge.add(*leaf, |level, position, hash| if level == BLOCK_LEVELS {
                eights.push((position, *hash));
            });
        }
        prop_assert_eq!(edge.root(), by_definition(&kept.0));
        prop_assert_eq!(eights.len(), size / BLOCK as usize);
        let hashes: Vec<Hash> = eights.iter().map(|(_, hash)| *hash).collect();
        prop_assert!(eights.iter().enumerate().all(|(n, (position, _))| n as u64 == *position));
        prop_assert_eq!(hashes, (&kept).block(BLOCK_LEVELS, 0).unwrap());
        let from = from.index(size + 1);
        let mut again = Tree::new(&kept).edge(from as u64).unwrap();
        for leaf in &kept.0[from..] {
            again.add(*leaf, |_, _, _| {});
        }
        prop_assert_eq!(again.root(), edge.root());
        prop_assert_eq!(again.size(), size as u64);
    }
}
