//! One field: its constraints, and what may become of it.

use std::marker::PhantomData;

use serde_json::{Map, Value};
use syfthub_domain::InvalidName;

use super::checks;
use super::reader::{Fields, expected};

/// Proof that a whole request was found good; only [`Fields::finish`] gives it.
#[derive(Debug)]
pub struct Valid(pub(super) ());

/// A required value. It can be taken once the whole request was found good.
#[derive(Debug)]
pub struct Checked<T>(Option<T>);

impl<T> Checked<T> {
    /// The value; `valid` proves that it is there.
    pub fn take(self, _valid: &Valid) -> T {
        let Some(value) = self.0 else {
            unreachable!("a failing field makes Fields::finish fail, so there is no proof")
        };
        value
    }

    /// The value, or `None` when the field failed; for checks across fields before the end.
    pub fn peek(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

/// A field of a partial update.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Not sent: leave it as it is.
    #[default]
    Absent,
    /// Sent as `null`: clear it.
    Null,
    /// Sent: set it.
    Value(T),
}

impl<T> Patch<T> {
    /// Applies the change to an optional value.
    pub fn apply(self, to: &mut Option<T>) {
        match self {
            Self::Absent => {}
            Self::Null => *to = None,
            Self::Value(value) => *to = Some(value),
        }
    }

    /// The change with its value turned into another one.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Absent => Patch::Absent,
            Self::Null => Patch::Null,
            Self::Value(value) => Patch::Value(convert(value)),
        }
    }

    /// The new value, if one was sent.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }
}

pub(super) enum State<T> {
    Absent,
    Null,
    Value(T),
    Failed,
}

/// A field that was read and may still be constrained. Ends with one of [`required`](Field::required),
/// [`optional`](Field::optional), [`or`](Field::or) and [`patch`](Field::patch).
#[must_use = "a field is judged only when it is taken with required, optional, or, or patch"]
pub struct Field<'f, T> {
    pub(super) fields: &'f mut Fields,
    pub(super) key: String,
    pub(super) raw: Value,
    pub(super) state: State<T>,
    pub(super) expects: PhantomData<T>,
    pub(super) null_failure: checks::Failure,
}

impl<T> Field<'_, T> {
    fn fail(&mut self, failure: checks::Failure) {
        self.state = State::Failed;
        let raw = self.raw.clone();
        self.fields.fail_at(&[self.key.as_str().into()], failure, raw);
    }

    fn null_fails(&mut self) {
        let failure = self.null_failure.clone();
        self.fail(failure);
    }

    fn constrain(mut self, check: impl FnOnce(&T) -> Result<(), checks::Failure>) -> Self {
        if let State::Value(value) = &self.state
            && let Err(failure) = check(value)
        {
            self.fail(failure);
        }
        self
    }

    /// Must be there and not `null`.
    pub fn required(mut self) -> Checked<T> {
        match self.state {
            State::Absent => self.fail(("missing", "Field required".to_owned())),
            State::Null => self.null_fails(),
            State::Failed => {}
            State::Value(value) => return Checked(Some(value)),
        }
        Checked(None)
    }

    /// May be absent or `null`. `None` too when the field failed.
    pub fn optional(self) -> Option<T> {
        match self.state {
            State::Value(value) => Some(value),
            _ => None,
        }
    }

    /// May be absent, then it is `default`; `null` is refused. `default` too when the field failed.
    pub fn or(mut self, default: T) -> T {
        match self.state {
            State::Value(value) => return value,
            State::Null => self.null_fails(),
            State::Absent | State::Failed => {}
        }
        default
    }

    /// Tells absent, `null` and a value apart. `Absent` too when the field failed.
    pub fn patch(self) -> Patch<T> {
        match self.state {
            State::Absent | State::Failed => Patch::Absent,
            State::Null => Patch::Null,
            State::Value(value) => Patch::Value(value),
        }
    }

    /// Like [`patch`](Field::patch) for a field that cannot be cleared: `null` is refused.
    pub fn patch_not_null(mut self) -> Option<T> {
        match self.state {
            State::Value(value) => return Some(value),
            State::Null => self.null_fails(),
            State::Absent | State::Failed => {}
        }
        None
    }

    /// Refuses values for which `rule` says why not; the text is prefixed as a `value_error` is.
    pub fn rule(self, rule: impl FnOnce(&T) -> Result<(), String>) -> Self {
        self.constrain(|value| rule(value).map_err(|why| ("value_error", format!("Value error, {why}"))))
    }
}

impl<'f, T> Field<'f, T> {
    fn convert<U>(mut self, convert: impl FnOnce(T) -> Result<U, checks::Failure>) -> Field<'f, U> {
        let state = match std::mem::replace(&mut self.state, State::Failed) {
            State::Absent => State::Absent,
            State::Null => State::Null,
            State::Failed => State::Failed,
            State::Value(value) => match convert(value) {
                Ok(converted) => State::Value(converted),
                Err(failure) => {
                    self.fail(failure);
                    State::Failed
                }
            },
        };
        Field {
            fields: self.fields,
            key: self.key,
            raw: self.raw,
            state,
            expects: PhantomData,
            null_failure: self.null_failure,
        }
    }
}

impl<'f> Field<'f, String> {
    /// Between `min` and `max` characters.
    pub fn length(self, min: usize, max: usize) -> Self {
        self.constrain(|text| checks::length(text, min, max))
    }

    /// Cuts blanks at both ends; put it before [`length`](Field::length).
    pub fn trimmed(self) -> Self {
        self.convert(|text| Ok(text.trim().to_owned()))
    }

    /// Reads a checked name of the domain, for example `.name(Slug::parse)`.
    pub fn name<N>(self, parse: impl FnOnce(&str) -> Result<N, InvalidName>) -> Field<'f, N> {
        self.convert(|text| parse(&text).map_err(|why| (why.kind, why.message)))
    }

    /// Reads a member of a closed set; `names` are its members for the error text.
    pub fn choice<E: std::str::FromStr>(self, names: &[&str]) -> Field<'f, E> {
        self.convert(|text| text.parse().map_err(|_| checks::choices(names)))
    }

    /// Reads anything else; the error text becomes a `value_error`.
    pub fn parse<U>(self, parse: impl FnOnce(&str) -> Result<U, String>) -> Field<'f, U> {
        self.convert(|text| parse(&text).map_err(|why| ("value_error", format!("Value error, {why}"))))
    }
}

impl Field<'_, i64> {
    /// Between `min` and `max`, both included.
    pub fn range(self, min: i64, max: i64) -> Self {
        self.constrain(|value| checks::range(value, &min, &max))
    }

    /// At least `min`.
    pub fn at_least(self, min: i64) -> Self {
        self.range(min, i64::MAX)
    }
}

impl Field<'_, f64> {
    /// Between `min` and `max`, both included.
    pub fn range(self, min: f64, max: f64) -> Self {
        self.constrain(|value| checks::range(value, &min, &max))
    }
}

impl<T> Field<'_, Vec<T>> {
    /// Between `min` and `max` items.
    pub fn items(self, min: usize, max: usize) -> Self {
        self.constrain(|list| checks::items(list.len(), min, max))
    }
}

impl Field<'_, Map<String, Value>> {
    /// At most `max` keys.
    pub fn keys(self, max: usize) -> Self {
        self.rule(|map| match map.len() {
            count if count > max => Err(format!("at most {max} keys are allowed, not {count}")),
            _ => Ok(()),
        })
    }
}

/// What `null` means for a required field of type `T`: the same failure as any other wrong type.
pub(super) fn null_failure<T>(convert: fn(&Value) -> Result<T, checks::Failure>) -> checks::Failure {
    convert(&Value::Null).err().unwrap_or_else(expected)
}
