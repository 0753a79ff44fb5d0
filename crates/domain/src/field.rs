//! One failing field of a request. All of a request's failures are reported at once (spec backend 0.1).

use serde::{Serialize, Serializer};

/// The kind of a failure that has none of its own.
pub const VALUE_ERROR: &str = "value_error";

/// Every kind that a [`FieldError`] of ours can have. A kind that is missing here becomes
/// [`VALUE_ERROR`] when the error comes from another service.
pub const KINDS: &[&str] = &[
    "missing",
    VALUE_ERROR,
    "model_attributes_type",
    "string_type",
    "string_too_short",
    "string_too_long",
    "string_pattern_mismatch",
    "int_type",
    "int_parsing",
    "int_parsing_size",
    "int_from_float",
    "float_type",
    "float_parsing",
    "bool_type",
    "bool_parsing",
    "greater_than_equal",
    "less_than_equal",
    "enum",
    "literal_error",
    "list_type",
    "dict_type",
    "extra_forbidden",
    "too_short",
    "too_long",
    "json_invalid",
];

/// Finds the kind of this name; [`VALUE_ERROR`] for one that is not ours.
pub fn known_kind(name: &str) -> &'static str {
    KINDS.iter().copied().find(|kind| *kind == name).unwrap_or(VALUE_ERROR)
}

/// One step of the path to a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loc {
    /// An object key, or the part of the request (`body`, `query`, `path`).
    Key(String),
    /// An array index, or the byte offset of malformed JSON.
    Index(usize),
}

impl From<&str> for Loc {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Loc {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl Serialize for Loc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Key(key) => serializer.serialize_str(key),
            Self::Index(index) => serializer.serialize_u64(*index as u64),
        }
    }
}

/// A field that was refused, in the shape that the published SDKs read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldError {
    /// Machine-readable kind, for example `string_too_short`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Where: `["body", "tags", 0]`.
    pub loc: Vec<Loc>,
    /// What is wrong, in words.
    pub msg: String,
    /// The refused value; `None` for secrets, which are never echoed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<serde_json::Value>,
}

impl FieldError {
    /// A failure of `kind` at `loc`.
    pub fn new(kind: &'static str, loc: Vec<Loc>, msg: impl Into<String>) -> Self {
        Self { kind, loc, msg: msg.into(), input: None }
    }

    /// Adds the refused value. Never call this for a password, token or secret.
    #[must_use]
    pub fn with_input(mut self, input: serde_json::Value) -> Self {
        self.input = Some(input);
        self
    }
}
