//! The validating reader: kinds, texts and locations of every failure, all at once.

use serde_json::{Value, json};
use syfthub_domain::{Detail, EndpointType, Error, FieldError, Slug};
use syfthub_web::Fields;
use syfthub_web::fields::Patch;

fn failures(error: Error) -> Vec<FieldError> {
    match error.detail {
        Detail::Fields(fields) => fields,
        other => panic!("field errors were expected, not {other:?}"),
    }
}

/// `type loc msg` of every failure, in order.
fn told(body: Value, read: impl FnOnce(&mut Fields)) -> Vec<String> {
    let mut fields = match Fields::body(body) {
        Ok(fields) => fields,
        Err(error) => return lines(&failures(error)),
    };
    read(&mut fields);
    match fields.finish() {
        Ok(_) => Vec::new(),
        Err(error) => lines(&failures(error)),
    }
}

fn lines(failures: &[FieldError]) -> Vec<String> {
    failures
        .iter()
        .map(|failure| {
            let loc = serde_json::to_string(&failure.loc).unwrap();
            format!("{} {loc} {}", failure.kind, failure.msg)
        })
        .collect()
}

#[test]
fn every_wrong_field_is_told_at_once() {
    let body = json!({
        "short": "", "long": "abcd", "number": 5, "int": "x", "fraction": 1.5, "small": -1, "big": 101,
        "type": "robot", "list": {}, "dict": [], "flag": "maybe", "float": "y", "few": [], "many": [1, 2, 3],
        "slug": "a b", "nothing": null,
    });
    let told = told(body, |f| {
        f.string("absent").required();
        f.string("short").length(1, 3).required();
        f.string("long").length(1, 3).required();
        f.string("number").required();
        f.int("int").required();
        f.int("fraction").required();
        f.int("small").range(0, 100).required();
        f.int("big").range(0, 100).or(1);
        f.string("type").choice::<EndpointType>(&["model", "data_source", "agent"]).required();
        f.list("list").required();
        f.dict("dict").required();
        f.boolean("flag").required();
        f.float("float").required();
        f.list("few").items(1, 2).required();
        f.list("many").items(1, 2).required();
        f.string("slug").name(Slug::parse).required();
        f.string("nothing").required();
        f.string("nothing").or(String::new());
    });
    insta::assert_snapshot!(told.join("\n"), @r#"
    missing ["body","absent"] Field required
    string_too_short ["body","short"] String should have at least 1 character
    string_too_long ["body","long"] String should have at most 3 characters
    string_type ["body","number"] Input should be a valid string
    int_parsing ["body","int"] Input should be a valid integer, unable to parse string as an integer
    int_from_float ["body","fraction"] Input should be a valid integer, got a number with a fractional part
    greater_than_equal ["body","small"] Input should be greater than or equal to 0
    less_than_equal ["body","big"] Input should be less than or equal to 100
    enum ["body","type"] Input should be 'model', 'data_source' or 'agent'
    list_type ["body","list"] Input should be a valid list
    dict_type ["body","dict"] Input should be a valid dictionary
    bool_parsing ["body","flag"] Input should be a valid boolean, unable to interpret input
    float_parsing ["body","float"] Input should be a valid number, unable to parse string as a number
    too_short ["body","few"] List should have at least 1 item after validation, not 0
    too_long ["body","many"] List should have at most 2 items after validation, not 3
    value_error ["body","slug"] Value error, Slug must be lower-case letters, digits and single hyphens, and may not start or end with a hyphen
    string_type ["body","nothing"] Input should be a valid string
    string_type ["body","nothing"] Input should be a valid string
    "#);
}

#[test]
fn nested_objects_and_lists_say_where() {
    let body = json!({
        "tags": ["ok", 3, "fine", null],
        "author": {"name": 1, "age": "old", "other": true},
        "policies": [{"type": "a"}, 7, {"extra": 1}],
    });
    let told = told(body, |f| {
        f.strings("tags").required();
        f.object("author", |a| {
            a.string("name").required();
            a.int("age").required();
        })
        .required();
        f.each("policies", |policy| {
            policy.string("type").required();
            policy.forbid_extra();
        })
        .required();
    });
    insta::assert_snapshot!(told.join("\n"), @r#"
    string_type ["body","tags",1] Input should be a valid string
    string_type ["body","tags",3] Input should be a valid string
    string_type ["body","author","name"] Input should be a valid string
    int_parsing ["body","author","age"] Input should be a valid integer, unable to parse string as an integer
    model_attributes_type ["body","policies",1] Input should be a valid dictionary or object to extract fields from
    missing ["body","policies",2,"type"] Field required
    extra_forbidden ["body","policies",2,"extra"] Extra inputs are not permitted
    "#);
}

#[test]
fn good_values_come_through_with_lenient_numbers() {
    let body = json!({"name": " Ada ", "limit": "20", "ratio": 1, "on": "yes", "whole": 3.0, "unknown": 1});
    let mut fields = Fields::body(body).unwrap();
    let name = fields.string("name").trimmed().length(3, 3).required();
    let limit = fields.int("limit").range(1, 100).required();
    let ratio = fields.float("ratio").range(0.0, 1.0).required();
    let on = fields.boolean("on").required();
    let whole = fields.int("whole").required();
    let default = fields.int("absent").or(7);
    let optional = fields.string("absent").optional();
    let valid = fields.finish().unwrap();
    assert_eq!((name.take(&valid).as_str(), limit.take(&valid), whole.take(&valid)), ("Ada", 20, 3));
    assert!((ratio.take(&valid) - 1.0).abs() < f64::EPSILON && on.take(&valid));
    assert_eq!((default, optional), (7, None));
}

#[test]
fn a_patch_tells_absent_null_and_a_value_apart() {
    let mut fields = Fields::body(json!({"cleared": null, "set": "x"})).unwrap();
    assert_eq!(fields.string("left").patch(), Patch::Absent);
    assert_eq!(fields.string("cleared").patch(), Patch::Null);
    assert_eq!(fields.string("set").patch(), Patch::Value("x".to_owned()));
    assert_eq!(fields.string("left").patch_not_null(), None);
    fields.string("cleared").patch_not_null();
    assert_eq!(failures(fields.finish().unwrap_err())[0].kind, "string_type");

    let mut kept = Some("old".to_owned());
    Patch::Absent.apply(&mut kept);
    assert_eq!(kept.as_deref(), Some("old"));
    Patch::Null.apply(&mut kept);
    assert_eq!(kept, None);
}

#[test]
fn secrets_are_never_echoed_and_other_values_are() {
    let mut fields = Fields::body(json!({
        "password": "hunter2", "email": 4, "deep": {"api_token": 1}, "thing": {"secret": "s", "open": "o"},
        "otp_code": 123_456,
    }))
    .unwrap();
    fields.string("password").length(8, 100).required();
    fields.string("email").required();
    fields.object("deep", |deep| deep.string("api_token").required()).required();
    fields.list("thing").required();
    fields.string("otp_code").required();
    let failures = failures(fields.finish().unwrap_err());
    assert_eq!(failures[0].input, None);
    assert_eq!(failures[1].input, Some(json!(4)));
    assert_eq!(failures[2].input, None);
    assert_eq!(failures[3].input, Some(json!({"secret": "[REDACTED]", "open": "o"})));
    assert_eq!(failures[4].input, None);
    assert!(!serde_json::to_string(&failures).unwrap().contains("hunter2"));
}

#[test]
fn u0000_is_refused_wherever_it_stands() {
    let body = json!({"a": "x\0y", "b": {"c": ["fine", "\0"]}, "k\0": 1, "ignored": "no reader asks for it"});
    insta::assert_snapshot!(told(body, |_| {}).join("\n"), @r#"
    value_error ["body","a"] Value error, the character U+0000 is not allowed
    value_error ["body","b","c",1] Value error, the character U+0000 is not allowed
    value_error ["body"] Value error, the character U+0000 is not allowed
    "#);
}

#[test]
fn a_body_that_is_no_object_and_batches_say_where() {
    assert_eq!(
        told(json!([1]), |_| {}),
        [
            r#"model_attributes_type ["body"] Input should be a valid dictionary or object to extract fields from"#
        ]
    );
    let mut item = Fields::batch_item(2, json!({"name": "\0"})).unwrap();
    item.string("slug").required();
    let told = lines(&failures(item.finish().unwrap_err()));
    assert!(told[0].contains(r#"["body",2,"name"]"#), "{told:?}");
    assert!(told[1].contains(r#"["body",2,"slug"]"#), "{told:?}");
}
