//! Tasks that end with their owner.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use syfthub_logging::{correlation, trace_context};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument;

/// A task that is aborted when this handle is dropped.
#[derive(Debug)]
#[must_use = "the task is aborted when its handle is dropped"]
pub struct LinkedTask<T>(JoinHandle<T>);

impl<T> LinkedTask<T> {
    /// Waits for the end; `None` when the task panicked.
    pub async fn join(mut self) -> Option<T> {
        (&mut self.0).await.ok()
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl<T> Drop for LinkedTask<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts a task that lives no longer than the returned handle. The correlation id, the trace context and
/// the tracing span of the caller go with it.
pub fn spawn_linked<F>(future: F) -> LinkedTask<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let future = trace_context::scope(trace_context::current(), future.in_current_span());
    match correlation::current() {
        Some(id) => LinkedTask(spawn(correlation::scope(id, future))),
        None => LinkedTask(spawn(future)),
    }
}

/// The same for a task that works for the whole process, whoever happens to start it: its lines belong to no
/// request, and it keeps no request's span open.
pub fn spawn_apart<F>(future: F) -> LinkedTask<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    LinkedTask(spawn(future))
}

#[expect(clippy::disallowed_methods, reason = "the place that ties every task to an owner")]
fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future)
}

/// A stream fed by a task: `produce` gets the sending half of a queue of `capacity` items and ends with
/// the stream, at the latest when the stream is dropped.
pub fn linked_stream<T, P, F>(capacity: usize, produce: P) -> LinkedStream<T>
where
    T: Send + 'static,
    P: FnOnce(mpsc::Sender<T>) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(capacity);
    LinkedStream { receiver, _task: spawn_linked(produce(sender)) }
}

/// See [`linked_stream`].
#[derive(Debug)]
pub struct LinkedStream<T> {
    receiver: mpsc::Receiver<T>,
    _task: LinkedTask<()>,
}

impl<T> Stream for LinkedStream<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.receiver.poll_recv(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn dropping_the_handle_ends_the_task() {
        let (alive, ended) = tokio::sync::oneshot::channel::<()>();
        let task = spawn_linked(async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        });
        drop(task);
        assert!(ended.await.is_err(), "the task's half of the channel is gone");
    }

    #[tokio::test]
    async fn a_task_apart_works_for_nobody() {
        let id = correlation::CorrelationId::from_header(Some("mine"));
        let (linked, apart) = correlation::scope(id.clone(), async {
            (spawn_linked(async { correlation::current() }), spawn_apart(async { correlation::current() }))
        })
        .await;
        assert_eq!((linked.join().await, apart.join().await), (Some(Some(id)), Some(None)));
    }

    #[tokio::test]
    async fn a_linked_stream_calls_on_with_the_trace_of_its_caller() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let mut headers = http::HeaderMap::new();
        headers.insert("traceparent", http::HeaderValue::from_static(parent));
        let stream = trace_context::scope(trace_context::extract(&headers), async {
            linked_stream(1, |sender| async move {
                let mut sent = http::HeaderMap::new();
                trace_context::inject(&mut sent);
                let _ = sender.send(sent).await;
            })
        });
        assert_eq!(stream.await.next().await, Some(headers));
    }

    #[tokio::test]
    async fn a_linked_stream_delivers_and_then_ends_its_task() {
        let (alive, ended) = tokio::sync::oneshot::channel::<()>();
        let mut stream = linked_stream(1, |sender| async move {
            let _alive = alive;
            while sender.send(1).await.is_ok() {}
        });
        assert_eq!(stream.next().await, Some(1));
        assert_eq!(stream.next().await, Some(1));
        drop(stream);
        assert!(ended.await.is_err());
    }
}
