//! A reader that checks a request's fields and reports every failure at once, with the kinds and texts
//! that the published SDKs know.
//!
//! ```
//! # use serde_json::json; use syfthub_web::Fields;
//! # fn rule(body: serde_json::Value) -> syfthub_domain::Result<()> {
//! let mut fields = Fields::body(body)?;
//! let name = fields.string("name").length(1, 100).required();
//! let limit = fields.int("limit").range(1, 100).or(20);
//! let valid = fields.finish()?;
//! let name: String = name.take(&valid);
//! # Ok(()) }
//! ```

mod checks;
mod field;
mod reader;

pub use field::{Checked, Field, Patch, Valid};
pub use reader::Fields;
