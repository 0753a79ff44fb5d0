//! Trace export to a collector over gRPC.

use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::init::Error;

/// Builds a provider that sends spans in batches. Must run inside a Tokio runtime, whose reactor the
/// connection uses; the connection is made when the first batch is sent.
pub(crate) fn provider(endpoint: &str, service: &'static str) -> Result<SdkTracerProvider, Error> {
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(Error::Otlp("trace export needs a running runtime".to_owned()));
    }
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(|error| Error::Otlp(error.to_string()))?;
    let resource = Resource::builder().with_service_name(service).build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}
