//! Reads JSON from outside into a value of bounded size.
//!
//! A node of a JSON value takes many times the bytes of its text, so eight megabytes of `[[],[],…` would
//! become half a gigabyte. Here only what somebody will look at is built; the rest is checked and skipped.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Nodes that all [`Shape::Open`] parts of one document may have together.
const OPEN_NODES: usize = 2_000;
/// Levels that an [`Shape::Open`] part may have.
const OPEN_DEPTH: usize = 8;

/// What is kept of a JSON document. A scalar is kept wherever it stands, so that who reads the value can
/// tell a wrong type; a list or an object that stands where it does not belong is left empty.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// A scalar.
    Leaf,
    /// An object with these keys.
    Keys(&'static [(&'static str, Shape)]),
    /// An object with any keys, at most so many, each with a scalar.
    Leaves(usize),
    /// A list, of which the first so many items are kept.
    List(usize, &'static Shape),
    /// Anything, as long as the budget lasts.
    Open,
}

/// What policies of an endpoint report; `billing` reads it.
pub(crate) const POLICY: Shape =
    Shape::Keys(&[("outcome", Shape::Leaf), ("entries", Shape::List(100, &ENTRY))]);

const ENTRY: Shape = Shape::Keys(&[
    ("policy_type", Shape::Leaf),
    ("kind", Shape::Leaf),
    ("status", Shape::Leaf),
    ("amount", Shape::Leaf),
    ("currency", Shape::Leaf),
    ("reason_code", Shape::Leaf),
    ("reason", Shape::Leaf),
    ("recipient", Shape::Leaves(10)),
    ("transaction", Shape::Leaves(10)),
    ("details", Shape::Open),
]);

/// Reads one document, complete and nothing after it.
pub(crate) fn read(bytes: &[u8], shape: Shape) -> serde_json::Result<Value> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let (budget, is_cut) = (Cell::new(OPEN_NODES), Cell::new(false));
    let value = Seed { shape, budget: &budget, is_cut: &is_cut, depth: OPEN_DEPTH }.deserialize(&mut json)?;
    json.end()?;
    Ok(value)
}

/// The same for open parts that are of no use unless they are whole: with budgets of their own for values and
/// levels, and `None` when the document goes beyond them.
pub(crate) fn read_whole(
    bytes: &[u8],
    shape: Shape,
    nodes: usize,
    depth: usize,
) -> serde_json::Result<Option<Value>> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let (budget, is_cut) = (Cell::new(nodes), Cell::new(false));
    let value = Seed { shape, budget: &budget, is_cut: &is_cut, depth }.deserialize(&mut json)?;
    json.end()?;
    Ok((!is_cut.get()).then_some(value))
}

/// The part of a value that a path like `/choices/0/delta` names; [`Value::pointer`] without its escapes, for which
/// it copies each key of the path twice, with each token of an answer.
pub(crate) fn at<'v>(json: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('/').skip(1).try_fold(json, |part, key| match part {
        Value::Object(keys) => keys.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Reads a value of a shape.
#[derive(Debug, Clone, Copy)]
struct Seed<'b> {
    shape: Shape,
    budget: &'b Cell<usize>,
    /// Something of an open part was left out, or could have been.
    is_cut: &'b Cell<bool>,
    depth: usize,
}

impl Seed<'_> {
    const fn of(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// A part of an open value, while there is budget for one more.
    fn part(self) -> Option<Self> {
        let left = self.budget.get().checked_sub(1);
        self.is_cut.set(self.is_cut.get() || left.is_none() || self.depth == 0);
        self.budget.set(left?);
        Some(Self { depth: self.depth.checked_sub(1)?, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let next = match self.shape {
                Shape::List(max, item) if list.len() < max => Some(self.of(*item)),
                Shape::Open => self.part(),
                _ => None,
            };
            let Some(next) = next else { break };
            match items.next_element_seed(next)? {
                Some(item) => list.push(item),
                None => return Ok(list.into()),
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        if let Shape::Keys(keys) = self.shape {
            while let Some(known) = entries.next_key_seed(Known(keys))? {
                if let Some((key, shape)) = known {
                    object.insert((*key).to_owned(), entries.next_value_seed(self.of(*shape))?);
                } else {
                    entries.next_value::<IgnoredAny>()?;
                }
            }
            return Ok(object.into());
        }
        loop {
            let next = match self.shape {
                Shape::Leaves(max) if object.len() < max => Some(self.of(Shape::Leaf)),
                Shape::Open => self.part(),
                _ => None,
            };
            let Some(next) = next else { break };
            let Some(key) = entries.next_key::<String>()? else { return Ok(object.into()) };
            object.insert(key, entries.next_value_seed(next)?);
        }
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(object.into())
    }
}

/// Recognises a key without making a text of it.
struct Known(&'static [(&'static str, Shape)]);

impl<'de> DeserializeSeed<'de> for Known {
    type Value = Option<&'static (&'static str, Shape)>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Known {
    type Value = Option<&'static (&'static str, Shape)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|(name, _)| *name == key))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const ITEM: Shape = Shape::Keys(&[("a", Shape::Leaf)]);
    const SHAPE: Shape = Shape::Keys(&[
        ("text", Shape::Leaf),
        ("list", Shape::List(2, &ITEM)),
        ("names", Shape::Leaves(2)),
        ("open", Shape::Open),
    ]);

    fn kept(json: &Value) -> Value {
        read(json.to_string().as_bytes(), SHAPE).unwrap()
    }

    fn nodes(value: &Value) -> usize {
        1 + match value {
            Value::Array(items) => items.iter().map(nodes).sum(),
            Value::Object(entries) => entries.values().map(nodes).sum(),
            _ => 0,
        }
    }

    #[test]
    fn only_what_the_shape_names_is_kept() {
        let whole = json!({
            "text": "t", "other": {"deep": [1, 2, 3]}, "open": {"x": [1, 2.5, null, true, -3, "s"]},
            "list": [{"a": 1, "b": 2}, 7, {"a": 3}], "names": {"x": "1", "y": ["2"], "z": "3"},
        });
        let expected = json!({
            "text": "t", "open": {"x": [1, 2.5, null, true, -3, "s"]},
            "list": [{"a": 1}, 7], "names": {"x": "1", "y": []},
        });
        assert_eq!(kept(&whole), expected);
    }

    #[test]
    fn a_wrong_type_stays_a_wrong_type() {
        let wrong = json!({"text": [1, 2], "list": {"a": 1}, "names": "n", "open": null});
        assert_eq!(kept(&wrong), json!({"text": [], "list": {}, "names": "n", "open": null}));
        assert_eq!(read(b"[[1],[2]]", SHAPE).unwrap(), json!([]));
        assert_eq!(read(b"\"x\"", SHAPE).unwrap(), json!("x"));
    }

    #[test]
    fn a_flood_of_nodes_leaves_few() {
        let flood = "[],".repeat(200_000);
        let text = format!(r#"{{"x":[{flood}1],"text":[{flood}1],"open":[{flood}1],"list":[{flood}1]}}"#);
        let value = read(text.as_bytes(), SHAPE).unwrap();
        assert!(nodes(&value) <= OPEN_NODES + 10, "{} nodes", nodes(&value));
        assert_eq!(value["list"], json!([[], []]));
        let deep = format!(r#"{{"open":{}1{}}}"#, "[".repeat(100), "]".repeat(100));
        assert_eq!(nodes(&read(deep.as_bytes(), SHAPE).unwrap()), 2 + OPEN_DEPTH);
    }

    #[test]
    fn what_is_skipped_must_still_be_json() {
        for broken in ["", "{", r#"{"x":[1,}"#, r#"{"x":1} 2"#, r#"{"x":tru}"#] {
            assert!(read(broken.as_bytes(), SHAPE).is_err(), "{broken}");
        }
        assert!(read("[".repeat(100_000).as_bytes(), SHAPE).is_err());
    }

    proptest! {
        #[test]
        fn the_same_texts_are_json_as_for_everybody(text in r#"[\[\]{},:"a1 ]{0,12}"#) {
            let whole = serde_json::from_str::<Value>(&text);
            prop_assert_eq!(read(text.as_bytes(), Shape::Open).ok(), whole.ok());
        }
    }
}
