//! Waiting for the device, never longer than a limit.
//!
//! Natively, answers are delivered to a thread that polls the device, this one or another; in a browser, when the program is
//! left alone, so that a timer is what ends a wait.

use crate::{GpuError, adapter::Gpu};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use wgpu::{Buffer, BufferAsyncError, MapMode};

/// The longest that a GPU may take to answer.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The same for a GPU in software, which is slow but answers.
pub(crate) const LIMIT_IN_SOFTWARE: Duration = Duration::from_secs(600);

type Mapped = Result<(), BufferAsyncError>;

/// A buffer being mapped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mapping(Arc<Answer>);

/// What the device answered, once it has.
#[derive(Debug, Default)]
struct Answer {
    result: Mutex<Option<Mapped>>,
    #[cfg(not(target_arch = "wasm32"))]
    is_there: std::sync::Condvar,
    #[cfg(target_arch = "wasm32")]
    waker: Mutex<Option<std::task::Waker>>,
}

impl Mapping {
    fn answer(&self, result: Mapped) {
        *self.0.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        #[cfg(not(target_arch = "wasm32"))]
        self.0.is_there.notify_all();
        #[cfg(target_arch = "wasm32")]
        if let Some(waker) = self.0.waker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }

    /// The answer; `None` where the limit comes first.
    #[cfg(not(target_arch = "wasm32"))]
    async fn within(self, limit: Duration) -> Option<Mapped> {
        let result = self.0.result.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.is_there.wait_timeout_while(result, limit, |result| result.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.take()
    }

    /// The answer; `None` where the limit comes first.
    #[cfg(target_arch = "wasm32")]
    async fn within(self, limit: Duration) -> Option<Mapped> {
        use std::task::Poll;
        let answered = std::future::poll_fn(|context| {
            let waker = || self.0.waker.lock().unwrap_or_else(PoisonError::into_inner);
            *waker() = Some(context.waker().clone());
            match self.0.result.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(result) => Poll::Ready(result),
                None => Poll::Pending,
            }
        });
        timer::within(limit, answered).await
    }
}

/// Requests that a buffer be mapped for the host.
pub(crate) fn map(buffer: &Buffer, mode: MapMode) -> Mapping {
    let mapping = Mapping::default();
    let answered = mapping.clone();
    buffer.slice(..).map_async(mode, move |result| answered.answer(result));
    mapping
}

/// Waits, in a browser, until everything submitted is done: what has gone wrong has been reported then.
#[cfg(target_arch = "wasm32")]
pub(crate) async fn done(gpu: &Gpu) -> Result<(), GpuError> {
    let done = Mapping::default();
    let answered = done.clone();
    gpu.queue.on_submitted_work_done(move || answered.answer(Ok(())));
    done.within(gpu.limit()).await.map(|_| ()).ok_or_else(|| gpu.no_answer())
}

/// Waits until everything submitted is done and buffers are mapped.
///
/// Errors: no answer within the limit; what the driver reports.
pub(crate) async fn wait<const N: usize>(gpu: &Gpu, mappings: [Mapping; N]) -> Result<(), GpuError> {
    gpu.poll()?;
    for mapping in mappings {
        mapped(gpu, mapping).await?;
    }
    Ok(())
}

/// Waits for a buffer, where everything that uses it is done.
///
/// Errors: as [`wait`].
pub(crate) async fn mapped(gpu: &Gpu, mapping: Mapping) -> Result<(), GpuError> {
    let answer = mapping.within(gpu.limit()).await.ok_or_else(|| gpu.no_answer())?;
    // The reason, where there is one, before its consequence.
    gpu.check()?;
    answer.map_err(|e| gpu.failed(e))
}

/// What a request to the driver answers; `None` where the limit comes first, which only a browser's timer shows.
pub(crate) async fn request<F: Future>(limit: Duration, request: F) -> Option<F::Output> {
    #[cfg(target_arch = "wasm32")]
    return timer::within(limit, request).await;
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _ = limit;
        Some(request.await)
    }
}

/// A race with the browser's timer.
#[cfg(target_arch = "wasm32")]
mod timer {
    use js_sys::{Function, Promise, Reflect, global};
    use std::{
        pin::{Pin, pin},
        task::Poll,
        time::Duration,
    };
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_futures::JsFuture;

    /// What a future gives; `None` where the limit comes first. Without timers there is no limit.
    pub(super) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let Some(mut timer) = Timer::start(limit) else { return Some(future.await) };
        std::future::poll_fn(move |context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            Pin::new(&mut timer.rings).poll(context).map(|_| None)
        })
        .await
    }

    /// Rings once, unless it is dropped before.
    struct Timer {
        number: JsValue,
        rings: JsFuture,
    }

    impl Timer {
        fn start(limit: Duration) -> Option<Self> {
            let set = function("setTimeout")?;
            let milliseconds = JsValue::from(limit.as_secs_f64() * 1e3);
            let mut number = JsValue::UNDEFINED;
            let rings = Promise::new(&mut |ring, _| {
                let ring: &JsValue = &ring;
                number = set.call2(&JsValue::UNDEFINED, ring, &milliseconds).unwrap_or_default();
            });
            Some(Self { number, rings: JsFuture::from(rings) })
        }
    }

    impl Drop for Timer {
        fn drop(&mut self) {
            if let Some(clear) = function("clearTimeout") {
                // A timer that has rung is none.
                let _ = clear.call1(&JsValue::UNDEFINED, &self.number);
            }
        }
    }

    fn function(name: &str) -> Option<Function> {
        Reflect::get(&global(), &name.into()).ok()?.dyn_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn an_answer_that_never_comes_is_not_waited_for() {
        let started = Instant::now();
        let answer = pollster::block_on(Mapping::default().within(Duration::from_millis(20)));
        assert!(answer.is_none() && started.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn an_answer_from_another_thread_is_taken_when_it_comes() {
        let mapping = Mapping::default();
        let other = mapping.clone();
        let answering = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            other.answer(Ok(()));
        });
        let answer = pollster::block_on(mapping.within(Duration::from_secs(60)));
        assert!(matches!(answer, Some(Ok(()))), "{answer:?}");
        answering.join().unwrap();
    }
}
