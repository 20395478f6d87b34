//! Traces of the controller's work to an OpenTelemetry collector, by OTLP over HTTP, where the environment names one (feature `otel`).
//!
//! OpenTelemetry's own variables are honoured: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`,
//! `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`. Spans go out, not what is logged within them: texts may quote
//! what people wrote, while a span has names, versions and outcomes only.

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::{Layer, Registry};

/// A running exporter.
pub struct Traces(SdkTracerProvider);

/// The exporter works on a thread of its own, outside of the runtime that reqwest needs.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    runtime: tokio::runtime::Handle,
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        let sent = self.runtime.spawn(async move {
            let answer = http.execute(request.try_into()?).await?;
            let (status, body) = (answer.status(), answer.bytes().await?);
            let mut response = Response::new(body);
            *response.status_mut() = status;
            Ok::<_, HttpError>(response)
        });
        sent.await?
    }
}

fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

impl Traces {
    /// Starts to send, if the environment names an endpoint. One that can't be used is told, and the controller works without.
    pub fn start(runtime: &tokio::runtime::Handle) -> Option<Self> {
        if set("OTEL_SDK_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true")) {
            return None;
        }
        set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| set("OTEL_EXPORTER_OTLP_ENDPOINT"))?;
        match Self::exporter(runtime) {
            Ok(exporter) => {
                let named = ["service.namespace", "k8s.pod.name"].into_iter().zip(["RUNTIME_NAMESPACE", "POD_NAME"]);
                let mut resource = Resource::builder()
                    .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
                    .with_attributes(named.filter_map(|(key, var)| Some(KeyValue::new(key, set(var)?))));
                if set("OTEL_SERVICE_NAME").is_none() {
                    resource = resource.with_service_name("pintle");
                }
                let provider =
                    SdkTracerProvider::builder().with_resource(resource.build()).with_batch_exporter(exporter);
                Some(Self(provider.build()))
            }
            Err(error) => {
                eprintln!("traces are not sent: {error}");
                None
            }
        }
    }

    fn exporter(runtime: &tokio::runtime::Handle) -> Result<SpanExporter, Box<dyn std::error::Error>> {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let client = Client { http, runtime: runtime.clone() };
        Ok(SpanExporter::builder().with_http().with_http_client(client).build()?)
    }

    /// What takes the program's spans.
    pub fn layer(&self) -> impl Layer<Registry> + Send + Sync + use<> {
        let layer = tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("pintle"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false);
        layer.with_filter(filter_fn(|metadata| {
            metadata.is_span() && metadata.target().starts_with("pintle") && *metadata.level() <= tracing::Level::INFO
        }))
    }

    /// Sends what is left.
    pub fn end(self) {
        let _ = self.0.shutdown();
    }
}
