//! Conversions from JSON to checked values, with the kind and text of each failure.

use serde_json::{Map, Value};

/// Kind and text of a failure.
pub(super) type Failure = (&'static str, String);

fn failure(kind: &'static str, text: &str) -> Failure {
    (kind, text.to_owned())
}

pub(super) fn string(value: &Value) -> Result<String, Failure> {
    match value {
        Value::String(text) => Ok(text.clone()),
        _ => Err(failure("string_type", "Input should be a valid string")),
    }
}

pub(super) fn int(value: &Value) -> Result<i64, Failure> {
    let parsing =
        || failure("int_parsing", "Input should be a valid integer, unable to parse string as an integer");
    match value {
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(whole),
            (None, Some(float)) if float.fract() == 0.0 => whole(float).ok_or_else(|| {
                failure(
                    "int_parsing_size",
                    "Unable to parse input string as an integer, exceeded maximum size",
                )
            }),
            _ => Err(failure(
                "int_from_float",
                "Input should be a valid integer, got a number with a fractional part",
            )),
        },
        Value::String(text) => text.trim().parse().map_err(|_| parsing()),
        _ => Err(failure("int_type", "Input should be a valid integer")),
    }
}

/// A whole float as an integer, within what a float holds exactly.
fn whole(float: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
    (float.abs() <= EXACT).then_some(float as i64)
}

pub(super) fn float(value: &Value) -> Result<f64, Failure> {
    let parsing =
        || failure("float_parsing", "Input should be a valid number, unable to parse string as a number");
    match value {
        Value::Number(number) => number.as_f64().ok_or_else(parsing),
        Value::String(text) => {
            text.trim().parse().ok().filter(|float: &f64| float.is_finite()).ok_or_else(parsing)
        }
        _ => Err(failure("float_type", "Input should be a valid number")),
    }
}

pub(super) fn boolean(value: &Value) -> Result<bool, Failure> {
    let parsing = || failure("bool_parsing", "Input should be a valid boolean, unable to interpret input");
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
            _ => Err(parsing()),
        },
        _ => Err(failure("bool_type", "Input should be a valid boolean")),
    }
}

pub(super) fn list(value: &Value) -> Result<Vec<Value>, Failure> {
    match value {
        Value::Array(items) => Ok(items.clone()),
        _ => Err(failure("list_type", "Input should be a valid list")),
    }
}

pub(super) fn dict(value: &Value) -> Result<Map<String, Value>, Failure> {
    match value {
        Value::Object(keys) => Ok(keys.clone()),
        _ => Err(failure("dict_type", "Input should be a valid dictionary")),
    }
}

pub(super) fn length(text: &str, min: usize, max: usize) -> Result<(), Failure> {
    let noun = |count| if count == 1 { "character" } else { "characters" };
    match text.chars().count() {
        short if short < min => {
            Err(("string_too_short", format!("String should have at least {min} {}", noun(min))))
        }
        long if long > max => {
            Err(("string_too_long", format!("String should have at most {max} {}", noun(max))))
        }
        _ => Ok(()),
    }
}

pub(super) fn items(count: usize, min: usize, max: usize) -> Result<(), Failure> {
    let noun = |count| if count == 1 { "item" } else { "items" };
    if count < min {
        let text = format!("List should have at least {min} {} after validation, not {count}", noun(min));
        return Err(("too_short", text));
    }
    if count > max {
        let text = format!("List should have at most {max} {} after validation, not {count}", noun(max));
        return Err(("too_long", text));
    }
    Ok(())
}

pub(super) fn range<N: PartialOrd + std::fmt::Display>(value: &N, min: &N, max: &N) -> Result<(), Failure> {
    if value < min {
        return Err(("greater_than_equal", format!("Input should be greater than or equal to {min}")));
    }
    if value > max {
        return Err(("less_than_equal", format!("Input should be less than or equal to {max}")));
    }
    Ok(())
}

/// `'a', 'b' or 'c'`.
pub(super) fn choices(names: &[&str]) -> Failure {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let listed = match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    };
    ("enum", format!("Input should be {listed}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;
    use syfthub_domain::field::KINDS;

    use super::*;

    fn kind<T>(checked: Result<T, Failure>) -> Option<&'static str> {
        checked.err().map(|(kind, _)| kind)
    }

    #[test]
    fn every_kind_of_failure_is_one_that_other_services_know() {
        let mut seen = BTreeSet::new();
        for value in [json!(null), json!(1.5), json!(1e300), json!(7), json!("x"), json!([]), json!({})] {
            seen.extend(kind(string(&value)));
            seen.extend(kind(int(&value)));
            seen.extend(kind(float(&value)));
            seen.extend(kind(boolean(&value)));
            seen.extend(kind(list(&value)));
            seen.extend(kind(dict(&value)));
        }
        for count in [0, 5] {
            seen.extend(kind(length(&"x".repeat(count), 1, 4)));
            seen.extend(kind(items(count, 1, 4)));
            seen.extend(kind(range(&count, &1, &4)));
        }
        seen.extend([choices(&[]).0, super::super::reader::expected().0]);
        assert_eq!(seen.len(), 19, "{seen:?}");
        for kind in seen {
            assert!(KINDS.contains(&kind), "{kind} would become a value_error on its way");
        }
    }
}
