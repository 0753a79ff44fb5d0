//! The resources.

use rmcp::ErrorData;
use rmcp::model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::json;

use crate::content::PNG;

pub(crate) fn list() -> Vec<Resource> {
    let resource = |uri: &str, name: &str, text: &str, kind: &str| {
        Resource::new(uri, name).with_description(text).with_mime_type(kind)
    };
    vec![
        resource("test://static-text", "text", "A text", "text/plain"),
        resource("test://static-binary", "image", "An image", "image/png"),
        resource("test://watched-resource", "watched", "Can be watched", "text/plain"),
    ]
}

pub(crate) fn templates() -> Vec<ResourceTemplate> {
    let template = ResourceTemplate::new("test://template/{id}/data", "data");
    vec![template.with_description("The data of an id").with_mime_type("application/json")]
}

pub(crate) fn read(uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let contents = match uri {
        "test://static-text" => text(uri, "text/plain", "This is the content of the static text resource."),
        "test://watched-resource" => text(uri, "text/plain", "Watched."),
        "test://static-binary" => ResourceContents::blob(PNG, uri).with_mime_type("image/png"),
        _ => {
            let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
            let Some(id) = id else {
                return Err(ErrorData::resource_not_found("Resource not found", Some(json!({"uri": uri}))));
            };
            let data = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")});
            text(uri, "application/json", &data.to_string())
        }
    };
    Ok(ReadResourceResult::new(vec![contents]))
}

fn text(uri: &str, kind: &str, text: &str) -> ResourceContents {
    ResourceContents::text(text, uri).with_mime_type(kind)
}
