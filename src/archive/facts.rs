//! What single files say about their storage, kept until all of its files were seen.

use std::collections::BTreeMap;

/// A number that one file of a folder gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// Items that a chunked storage holds, by its `status.dat`.
    Items,
    /// Flags that there are, by their `status.dat`.
    Flags,
    /// Not 0: the flags are in `flags_b.dat`, as old versions wrote them.
    SecondFlags,
    /// Size of `flags_a.dat`.
    FlagBytes,
    /// There is a `flags_b.dat`.
    SecondFlagBytes,
    /// Size of a page, by the configuration of a page storage.
    PageSize,
    /// Size of a block, by the same.
    BlockSize,
    /// Blocks of a region, by the same.
    RegionBlocks,
    /// Number of page files.
    Pages,
    /// Size of the largest page file.
    PageBytes,
    /// Size of `bitmask.dat`.
    BitmaskBytes,
    /// Size of `gaps.dat`.
    GapBytes,
    /// Highest page that a pointer leads to.
    PointerPage,
    /// Highest block that a pointer leads to.
    PointerBlock,
    /// Longest value that a pointer leads to.
    PointerLength,
    /// Elements of a vector, by the configuration of a chunked storage.
    ChunkDim,
    /// Size of a chunk, by the same.
    ChunkSize,
    /// Vectors in a chunk, by the same.
    ChunkVectors,
    /// Elements of a vector, by the configuration of its quantization.
    QuantizedDim,
    /// Kind of quantization, by the same.
    QuantizedKind,
    /// Kinds of quantization that `quantized.meta.json` can be of.
    MetaKinds,
    /// Size of a quantized vector, by the configuration.
    QuantizedSize,
    /// Size of `quantized.data`.
    QuantizedBytes,
    /// Lists of a sparse index, by its configuration.
    PostingLists,
    /// Lists that have a sound header.
    SoundPostingLists,
    /// A list is wrong: 1 where a server builds the index anew, 2 where it does not notice.
    UnsoundPostingLists,
    /// The sparse index is of a version that is built anew.
    OtherVersion,
    /// End of the last range of point ids.
    RangeEnd,
    /// Size of the file of these ids.
    RangeBytes,
}

/// The numbers of one folder.
pub type Facts = BTreeMap<Fact, u64>;
