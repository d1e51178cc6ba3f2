//! The Merkle tree of RFC 6962, section 2.1: hashes, proofs, and what they prove.
//!
//! Nothing here knows of a store. A tree is asked for the hashes of *blocks*: at level 0
//! those of 256 leaves in a row, at level 8 those of 256 subtrees of 256 leaves each, and
//! so on. That is how the store keeps them ([`super::stored`]): what lies between is worked
//! out when a proof needs it, at most 255 hashes a level.

use std::collections::HashMap;

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::BASE64;

/// A SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// As checkpoints and proofs write it (RFC 4648, section 4).
    #[must_use]
    pub fn text(&self) -> String {
        BASE64.encode(&self.0)
    }

    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text.as_bytes()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    Hash(hash)
}

/// Of an entry.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    hash(&[&[0], entry])
}

/// Of two subtrees.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    hash(&[&[1], &left.0, &right.0])
}

/// Of a tree with nothing in it.
#[must_use]
pub fn empty_root() -> Hash {
    hash(&[])
}

/// Leaves of a block, and how many levels it spans.
pub const BLOCK: u64 = 256;
pub const BLOCK_LEVELS: u8 = 8;

/// Where a tree's hashes are kept.
pub trait Blocks {
    type Error;

    /// The hashes of one block at a level that is a multiple of [`BLOCK_LEVELS`]: as many
    /// as there are, from its beginning on.
    ///
    /// # Errors
    /// When they cannot be read, or some are missing.
    fn block(&self, level: u8, block: u64) -> Result<Vec<Hash>, Self::Error>;

    /// A hash that ought to be there is not.
    fn missing(&self, level: u8, position: u64) -> Self::Error;
}

/// A tree over stored blocks; remembers what it has worked out.
#[derive(Debug)]
pub struct Tree<B> {
    blocks: B,
    loaded: HashMap<(u8, u64), Vec<Hash>>,
    /// Of whole subtrees between the stored levels.
    worked_out: HashMap<(u8, u64), Hash>,
}

/// Most subtrees that one tree remembers; then it begins anew.
const REMEMBERED_MAX: usize = 1 << 18;

impl<B: Blocks> Tree<B> {
    pub fn new(blocks: B) -> Self {
        Self {
            blocks,
            loaded: HashMap::new(),
            worked_out: HashMap::new(),
        }
    }

    /// The root of the first `size` leaves.
    ///
    /// # Errors
    /// When a hash that it needs cannot be read.
    pub fn root(&mut self, size: u64) -> Result<Hash, B::Error> {
        if size == 0 {
            return Ok(empty_root());
        }
        self.range(0, size)
    }

    /// The path from a leaf to the root of the first `size` leaves (section 2.1.1).
    ///
    /// # Errors
    /// As [`Tree::root`].
    pub fn inclusion(&mut self, leaf: u64, size: u64) -> Result<Vec<Hash>, B::Error> {
        let mut path = Vec::new();
        let (mut from, mut to) = (0, size);
        while to - from > 1 {
            let middle = from + split(to - from);
            if leaf < middle {
                path.push(self.range(middle, to)?);
                to = middle;
            } else {
                path.push(self.range(from, middle)?);
                from = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// That the first `former` leaves are the beginning of the first `size` (section 2.1.2).
    /// Empty where there is nothing to prove.
    ///
    /// # Errors
    /// As [`Tree::root`].
    pub fn consistency(&mut self, former: u64, size: u64) -> Result<Vec<Hash>, B::Error> {
        let mut proof = Vec::new();
        if former == 0 || former >= size {
            return Ok(proof);
        }
        let (mut from, mut to, mut is_known) = (0, size, true);
        while former != to {
            let middle = from + split(to - from);
            if former <= middle {
                proof.push(self.range(middle, to)?);
                to = middle;
            } else {
                proof.push(self.range(from, middle)?);
                from = middle;
                is_known = false;
            }
        }
        if !is_known {
            proof.push(self.range(from, to)?);
        }
        proof.reverse();
        Ok(proof)
    }

    /// The right edge of the first `size` leaves, to add further ones to.
    ///
    /// # Errors
    /// As [`Tree::root`].
    pub fn edge(&mut self, size: u64) -> Result<Edge, B::Error> {
        let mut subtrees = Vec::new();
        let mut from = 0;
        while from < size {
            let level = 63 - (size - from).leading_zeros();
            let level = u8::try_from(level).unwrap_or(u8::MAX);
            subtrees.push(self.subtree(level, from >> level)?);
            from += 1 << level;
        }
        Ok(Edge { size, subtrees })
    }

    /// The tree over these leaves, which begin where a whole subtree of their size would.
    fn range(&mut self, from: u64, to: u64) -> Result<Hash, B::Error> {
        let count = to - from;
        if count.is_power_of_two() {
            let level = u8::try_from(count.trailing_zeros()).unwrap_or(u8::MAX);
            return self.subtree(level, from >> level);
        }
        let middle = from + split(count);
        let (left, right) = (self.range(from, middle)?, self.range(middle, to)?);
        Ok(node_hash(&left, &right))
    }

    /// A whole subtree of 2^level leaves.
    fn subtree(&mut self, level: u8, position: u64) -> Result<Hash, B::Error> {
        if level.is_multiple_of(BLOCK_LEVELS) {
            return self.stored(level, position);
        }
        if let Some(known) = self.worked_out.get(&(level, position)) {
            return Ok(*known);
        }
        let left = self.subtree(level - 1, position * 2)?;
        let right = self.subtree(level - 1, position * 2 + 1)?;
        let hash = node_hash(&left, &right);
        if self.worked_out.len() >= REMEMBERED_MAX {
            self.worked_out.clear();
        }
        self.worked_out.insert((level, position), hash);
        Ok(hash)
    }

    fn stored(&mut self, level: u8, position: u64) -> Result<Hash, B::Error> {
        let (block, at) = (position / BLOCK, (position % BLOCK) as usize);
        if !self.loaded.contains_key(&(level, block)) {
            if self.loaded.len() >= REMEMBERED_MAX / BLOCK as usize {
                self.loaded.clear();
            }
            let hashes = self.blocks.block(level, block)?;
            self.loaded.insert((level, block), hashes);
        }
        let found = self.loaded.get(&(level, block)).and_then(|b| b.get(at));
        found
            .copied()
            .ok_or_else(|| self.blocks.missing(level, position))
    }
}

/// The largest power of two that is smaller than `count`, which is two at least.
fn split(count: u64) -> u64 {
    1 << (63 - (count - 1).leading_zeros())
}

/// A tree of which only the right edge is kept: leaves are added, the root is asked for.
#[derive(Debug, Clone, Default)]
pub struct Edge {
    size: u64,
    /// Whole subtrees, the largest first: one for each bit of `size`.
    subtrees: Vec<Hash>,
}

impl Edge {
    /// Adds a leaf. Calls `whole` for each subtree that it completes, with its level and
    /// position.
    pub fn add(&mut self, leaf: Hash, mut whole: impl FnMut(u8, u64, &Hash)) {
        let (mut hash, mut level) = (leaf, 0_u8);
        while self.size >> level & 1 == 1 {
            if let Some(left) = self.subtrees.pop() {
                hash = node_hash(&left, &hash);
            }
            level += 1;
            whole(level, self.size >> level, &hash);
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    #[must_use]
    pub fn root(&self) -> Hash {
        let mut subtrees = self.subtrees.iter().rev();
        let Some(last) = subtrees.next() else {
            return empty_root();
        };
        subtrees.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// Whether the path leads from this leaf to this root (RFC 9162, section 2.1.3.2).
#[must_use]
pub fn is_included(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether the first `former` leaves of the larger tree are those of the smaller (RFC 9162,
/// section 2.1.4.2).
#[must_use]
pub fn is_consistent(
    former: u64,
    former_root: &Hash,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> bool {
    if former > size {
        return false;
    }
    if former == size {
        return proof.is_empty() && former_root == root;
    }
    if former == 0 {
        return proof.is_empty() && *former_root == empty_root();
    }
    let mut proof = proof.iter();
    let mut at = former - 1;
    let mut last = size - 1;
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    // A whole subtree is known: the proof does not say it.
    let first = if former.is_power_of_two() {
        Some(former_root)
    } else {
        proof.next()
    };
    let Some(first) = first else {
        return false;
    };
    let (mut old, mut new) = (*first, *first);
    for hash in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old = node_hash(hash, &old);
            new = node_hash(hash, &new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, hash);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && old == *former_root && new == *root
}

#[cfg(test)]
mod tests;
