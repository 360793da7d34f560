//! The small files of quantized vectors: `quantized.config.json` and `quantized.meta.json`.

use crate::archive::facts::{Fact, Facts};
use crate::archive::formats::documents::parse;
use crate::archive::formats::wrong::{Checked, Wrong};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Kinds of quantization, as bits.
const SCALAR: u64 = 1;
const PRODUCT: u64 = 1 << 1;
const BINARY: u64 = 1 << 2;

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct VectorParameters {
    dim: u64,
    distance_type: Distance,
    invert: bool,
    #[serde(default)]
    count: Option<u64>,
}

#[derive(Deserialize)]
enum Distance {
    Dot,
    L1,
    L2,
}

#[derive(Deserialize)]
struct Quantized {
    quantization_config: Quantization,
    vector_parameters: VectorParameters,
    #[serde(default)]
    storage_type: QuantizedStorage,
}

#[derive(Deserialize, Default, PartialEq, Eq)]
enum QuantizedStorage {
    #[default]
    Immutable,
    Mutable,
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only whether it can be read matters")]
pub(super) enum Quantization {
    Scalar {
        scalar: Scalar,
    },
    Product {
        product: Product,
    },
    Binary {
        binary: Binary,
    },
    /// Of 1.18 and newer, whose options are not judged here.
    Turbo {
        turbo: IgnoredAny,
    },
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
pub(super) struct Scalar {
    r#type: ScalarType,
    quantile: Option<f32>,
    always_ram: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ScalarType {
    Int8,
}

#[derive(Deserialize)]
pub(super) struct Product {
    compression: Compression,
    #[expect(dead_code, reason = "only whether it can be read matters")]
    always_ram: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Compression {
    X4,
    X8,
    X16,
    X32,
    X64,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
pub(super) struct Binary {
    always_ram: Option<bool>,
    #[serde(default)]
    encoding: Option<BinaryEncoding>,
    #[serde(default)]
    query_encoding: Option<QueryEncoding>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum BinaryEncoding {
    OneBit,
    TwoBits,
    OneAndHalfBits,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum QueryEncoding {
    Default,
    Binary,
    Scalar4Bits,
    Scalar8Bits,
}

/// Scalar vectors are padded to this many bytes.
const SCALAR_STEP: u64 = 16;

/// Checks a `quantized.config.json`.
///
/// # Errors
/// What is wrong with it.
pub fn config(text: &[u8], facts: &mut Facts) -> Checked {
    let config: Quantized = parse(text).map_err(Wrong::damage)?;
    let dim = config.vector_parameters.dim;
    facts.insert(Fact::QuantizedDim, dim);
    let kind = match &config.quantization_config {
        Quantization::Scalar { .. } => SCALAR,
        Quantization::Product { .. } => PRODUCT,
        Quantization::Binary { .. } => BINARY,
        Quantization::Turbo { .. } => 0,
    };
    facts.insert(Fact::QuantizedKind, kind);
    let mutable = config.storage_type == QuantizedStorage::Mutable;
    let size = match &config.quantization_config {
        Quantization::Scalar { .. } | Quantization::Product { .. } if mutable => {
            return Err(Wrong::damage("only binary quantization can be appended to, and it says that this one is"));
        }
        Quantization::Scalar { .. } => dim.checked_next_multiple_of(SCALAR_STEP).and_then(|bytes| bytes.checked_add(4)),
        Quantization::Product { product } => Some(dim.div_ceil(match product.compression {
            Compression::X4 => 1,
            Compression::X8 => 2,
            Compression::X16 => 4,
            Compression::X32 => 8,
            Compression::X64 => 16,
        })),
        // How many bits a binary vector takes differs between versions.
        Quantization::Binary { .. } | Quantization::Turbo { .. } => None,
    };
    if let Some(size) = size.filter(|_| !mutable) {
        facts.insert(Fact::QuantizedSize, size);
    }
    Ok(())
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct ScalarMeta {
    actual_dim: u64,
    alpha: f32,
    offset: f32,
    multiplier: f32,
    vector_parameters: VectorParameters,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct ProductMeta {
    centroids: Vec<Vec<f32>>,
    vector_division: Vec<Division>,
    vector_parameters: VectorParameters,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Division {
    start: u64,
    end: u64,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct BinaryMeta {
    vector_parameters: VectorParameters,
    #[serde(default)]
    encoding: MetaEncoding,
    #[serde(default)]
    query_encoding: MetaQueryEncoding,
    #[serde(default)]
    vector_stats: Option<VectorStats>,
}

#[derive(Deserialize, Default)]
enum MetaEncoding {
    #[default]
    OneBit,
    TwoBits,
    OneAndHalfBits,
}

#[derive(Deserialize, Default)]
enum MetaQueryEncoding {
    #[default]
    SameAsStorage,
    Scalar4bits,
    Scalar8bits,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct VectorStats {
    elements_stats: Vec<ElementStats>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct ElementStats {
    min: f32,
    max: f32,
    mean: f32,
    stddev: f32,
}

/// Checks a `quantized.meta.json`. Which kind it must be is said by the configuration, which comes later.
///
/// # Errors
/// What is wrong with it.
pub fn meta(text: &[u8], facts: &mut Facts) -> Checked {
    if std::str::from_utf8(text).is_err() {
        return Err(Wrong::damage("it is no text"));
    }
    let kinds = [
        (SCALAR, parse::<ScalarMeta>(text).is_ok()),
        (PRODUCT, parse::<ProductMeta>(text).is_ok()),
        (BINARY, parse::<BinaryMeta>(text).is_ok()),
    ];
    let kinds = kinds.into_iter().filter(|(_, is_one)| *is_one).map(|(kind, _)| kind).sum();
    facts.insert(Fact::MetaKinds, kinds);
    // Of a kind that is not known here, nothing can be said but that it is JSON.
    parse::<IgnoredAny>(text).map(drop).map_err(Wrong::damage)
}

/// What does not fit among the files of quantized vectors.
pub fn consistent(facts: &Facts, dim: Option<u64>) -> Option<(&'static str, Wrong)> {
    let fact = |fact| facts.get(&fact).copied();
    if let (Some(here), Some(dim)) = (fact(Fact::QuantizedDim), dim)
        && here != dim
    {
        let what = format!("it is for vectors of {here} dimensions, and `segment.json` says {dim}");
        return Some(("quantized.config.json", Wrong::damage(what)));
    }
    if let (Some(kind), Some(kinds)) = (fact(Fact::QuantizedKind), fact(Fact::MetaKinds))
        && kind != 0
        && kind & kinds == 0
    {
        let what = "it lacks something, or has it in another form, that this kind of quantization needs";
        return Some(("quantized.meta.json", Wrong::damage(what)));
    }
    if let (Some(size), Some(bytes)) = (fact(Fact::QuantizedSize), fact(Fact::QuantizedBytes))
        && (size == 0 || bytes % size != 0)
    {
        let what = format!("it takes {bytes} bytes, which are no vectors of {size} bytes");
        return Some(("quantized.data", Wrong::damage(what)));
    }
    None
}
