//! The reader over one object of a request.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use serde_json::{Map, Value};
use syfthub_domain::{Error, FieldError, Loc, Result};
use syfthub_logging::redact;

use super::checks::{self, Failure};
use super::field::{Field, State, Valid, null_failure};

/// Values longer than this (as JSON, in bytes) are not echoed.
const MAX_ECHO: usize = 512;

/// One object of a request, read field by field. Unknown keys are ignored unless
/// [`forbid_extra`](Fields::forbid_extra) is called.
#[derive(Debug)]
pub struct Fields {
    values: Map<String, Value>,
    prefix: Vec<Loc>,
    errors: Vec<FieldError>,
    read: BTreeSet<String>,
    /// A query string, where every value is a text and a repeated name is a list.
    query: bool,
}

impl Fields {
    /// The fields of a JSON body, which must be an object. U+0000 anywhere in it is refused here,
    /// because no database takes it.
    pub fn body(body: Value) -> Result<Self> {
        let mut fields = Self::new(Map::new(), vec!["body".into()]);
        fields.refuse_nul(&body, &mut Vec::new());
        match body {
            Value::Object(values) => fields.values = values,
            other => {
                let text = "Input should be a valid dictionary or object to extract fields from";
                fields.fail_at(&[], ("model_attributes_type", text.to_owned()), other);
                return Err(Error::fields(fields.errors));
            }
        }
        Ok(fields)
    }

    /// The parameters of a query string.
    pub fn query(values: Map<String, Value>) -> Self {
        let mut fields = Self::new(Map::new(), vec!["query".into()]);
        fields.refuse_nul(&Value::Object(values.clone()), &mut Vec::new());
        fields.values = values;
        fields.query = true;
        fields
    }

    fn new(values: Map<String, Value>, prefix: Vec<Loc>) -> Self {
        Self { values, prefix, errors: Vec::new(), read: BTreeSet::new(), query: false }
    }

    /// Whether the key was sent, `null` included.
    pub fn contains(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// A text.
    pub fn string(&mut self, key: &str) -> Field<'_, String> {
        self.typed(key, checks::string)
    }

    /// An integer; texts that spell one are read too.
    pub fn int(&mut self, key: &str) -> Field<'_, i64> {
        self.typed(key, checks::int)
    }

    /// A number; texts that spell one are read too.
    pub fn float(&mut self, key: &str) -> Field<'_, f64> {
        self.typed(key, checks::float)
    }

    /// A truth value; texts such as `"true"`, `"1"`, `"yes"` and their opposites are read too, numbers are not.
    pub fn boolean(&mut self, key: &str) -> Field<'_, bool> {
        self.typed(key, checks::boolean)
    }

    /// A list of anything.
    pub fn list(&mut self, key: &str) -> Field<'_, Vec<Value>> {
        self.typed(key, checks::list)
    }

    /// An object whose content is the user's own.
    pub fn dict(&mut self, key: &str) -> Field<'_, Map<String, Value>> {
        self.typed(key, checks::dict)
    }

    /// Anything.
    pub fn any(&mut self, key: &str) -> Field<'_, Value> {
        self.typed(key, |value| Ok(value.clone()))
    }

    /// A list of texts; each that is none is reported with its index.
    pub fn strings(&mut self, key: &str) -> Field<'_, Vec<String>> {
        self.items(key, checks::list, |fields, loc, item| match checks::string(&item) {
            Ok(text) => Some(text),
            Err(failure) => {
                fields.fail_at(loc, failure, item);
                None
            }
        })
    }

    /// A list of integers; each that is none is reported with its index.
    pub fn ints(&mut self, key: &str) -> Field<'_, Vec<i64>> {
        self.items(key, checks::list, |fields, loc, item| match checks::int(&item) {
            Ok(number) => Some(number),
            Err(failure) => {
                fields.fail_at(loc, failure, item);
                None
            }
        })
    }

    /// A nested object, read by `read` with its own locations.
    pub fn object<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> Field<'_, T> {
        let raw = self.raw(key);
        let state = match raw.clone() {
            None => State::Absent,
            Some(Value::Null) => State::Null,
            Some(value) => match self.nested(&[key.into()], value, read) {
                Some(value) => State::Value(value),
                None => State::Failed,
            },
        };
        self.field(key, raw, state, expected())
    }

    /// A list of objects, each read by `read`.
    pub fn each<T>(&mut self, key: &str, mut read: impl FnMut(&mut Self) -> T) -> Field<'_, Vec<T>> {
        self.items(key, checks::list, |fields, loc, item| fields.nested(loc, item, &mut read))
    }

    /// Reports every key that was not read.
    pub fn forbid_extra(&mut self) {
        let extra: Vec<(String, Value)> = self
            .values
            .iter()
            .filter(|(key, _)| !self.read.contains(*key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        for (key, value) in extra {
            let failure = ("extra_forbidden", "Extra inputs are not permitted".to_owned());
            self.fail_at(&[Loc::Key(key)], failure, value);
        }
    }

    /// Reports a failure that concerns one field, found by a rule across several.
    pub fn reject(&mut self, key: &str, why: &str) {
        let failure = ("value_error", format!("Value error, {why}"));
        let value = self.values.get(key).cloned().unwrap_or(Value::Null);
        self.fail_at(&[key.into()], failure, value);
    }

    /// The end: a proof that everything is good, or all failures in one error.
    pub fn finish(self) -> Result<Valid> {
        if self.errors.is_empty() {
            return Ok(Valid(()));
        }
        Err(Error::fields(self.errors))
    }

    /// The failures so far; for batches, whose items are judged apart.
    pub fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }

    /// The fields of one item of a batch body, with locations that start at `["body", index]`.
    pub fn batch_item(index: usize, item: Value) -> Result<Self> {
        let mut fields = Self::body(item).map_err(|mut error| {
            if let syfthub_domain::Detail::Fields(failures) = &mut error.detail {
                for failure in failures {
                    failure.loc.insert(1, index.into());
                }
            }
            error
        })?;
        fields.prefix.push(index.into());
        for failure in &mut fields.errors {
            failure.loc.insert(1, index.into());
        }
        Ok(fields)
    }

    pub(super) fn fail_at(&mut self, steps: &[Loc], (kind, text): Failure, value: Value) {
        let mut loc = self.prefix.clone();
        loc.extend_from_slice(steps);
        let secret = loc.iter().any(|step| matches!(step, Loc::Key(key) if redact::is_sensitive_input(key)));
        let error = FieldError::new(kind, loc, text);
        self.errors.push(if secret { error } else { error.with_input(echo(value)) });
    }

    fn raw(&mut self, key: &str) -> Option<Value> {
        self.read.insert(key.to_owned());
        self.values.get(key).cloned()
    }

    fn typed<T>(&mut self, key: &str, convert: fn(&Value) -> Result<T, Failure>) -> Field<'_, T> {
        let raw = match self.raw(key) {
            Some(Value::Array(mut repeated)) if self.query => repeated.pop(), // the last one counts
            raw => raw,
        };
        let state = match &raw {
            None => State::Absent,
            Some(Value::Null) => State::Null,
            Some(value) => match convert(value) {
                Ok(value) => State::Value(value),
                Err(failure) => {
                    self.fail_at(&[key.into()], failure, value.clone());
                    State::Failed
                }
            },
        };
        self.field(key, raw, state, null_failure(convert))
    }

    fn items<T>(
        &mut self,
        key: &str,
        convert: fn(&Value) -> Result<Vec<Value>, Failure>,
        mut read: impl FnMut(&mut Self, &[Loc], Value) -> Option<T>,
    ) -> Field<'_, Vec<T>> {
        let raw = match self.raw(key) {
            Some(single @ Value::String(_)) if self.query => Some(Value::Array(vec![single])),
            raw => raw,
        };
        let state = match &raw {
            None => State::Absent,
            Some(Value::Null) => State::Null,
            Some(value) => match convert(value) {
                Ok(items) => {
                    let count = items.len();
                    let read: Vec<T> = items
                        .into_iter()
                        .enumerate()
                        .filter_map(|(index, item)| read(self, &[key.into(), index.into()], item))
                        .collect();
                    if read.len() == count { State::Value(read) } else { State::Failed }
                }
                Err(failure) => {
                    self.fail_at(&[key.into()], failure, value.clone());
                    State::Failed
                }
            },
        };
        self.field(key, raw, state, null_failure(convert))
    }

    fn nested<T>(&mut self, steps: &[Loc], value: Value, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let Value::Object(values) = value else {
            self.fail_at(steps, expected(), value);
            return None;
        };
        let mut prefix = self.prefix.clone();
        prefix.extend_from_slice(steps);
        let mut inner = Self::new(values, prefix);
        let result = read(&mut inner);
        let good = inner.errors.is_empty();
        self.errors.append(&mut inner.errors);
        good.then_some(result)
    }

    fn field<T>(&mut self, key: &str, raw: Option<Value>, state: State<T>, null: Failure) -> Field<'_, T> {
        Field {
            fields: self,
            key: key.to_owned(),
            raw: raw.unwrap_or(Value::Null),
            state,
            expects: PhantomData,
            null_failure: null,
        }
    }

    fn refuse_nul(&mut self, value: &Value, path: &mut Vec<Loc>) {
        const WHY: &str = "Value error, the character U+0000 is not allowed";
        match value {
            Value::String(text) if text.contains('\0') => {
                self.fail_at(path, ("value_error", WHY.to_owned()), Value::Null);
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push(index.into());
                    self.refuse_nul(item, path);
                    path.pop();
                }
            }
            Value::Object(keys) => {
                for (key, item) in keys {
                    if key.contains('\0') {
                        self.fail_at(path, ("value_error", WHY.to_owned()), Value::Null);
                        continue;
                    }
                    path.push(key.as_str().into());
                    self.refuse_nul(item, path);
                    path.pop();
                }
            }
            _ => {}
        }
    }
}

/// The failure of a value that should have been an object.
pub(super) fn expected() -> Failure {
    let text = "Input should be a valid dictionary or object to extract fields from";
    ("model_attributes_type", text.to_owned())
}

/// The refused value as it is told: without what is secret in it, and not at any length.
fn echo(mut value: Value) -> Value {
    redact::redact_input(&mut value);
    match &value {
        Value::Array(_) | Value::Object(_) | Value::String(_) if value.to_string().len() > MAX_ECHO => {
            Value::Null
        }
        _ => value,
    }
}
