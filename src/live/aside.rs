//! Work that packets do not wait for: a thread that does one task at a time.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

/// A thread that makes an answer of each task. Whoever asks it looks for the answer now and then.
pub(super) struct Aside<T, A> {
    tasks: SyncSender<T>,
    answers: Receiver<A>,
    is_busy: bool,
}

/// The thread has ended, though nobody asked for that: it panicked, and that was told.
#[derive(Debug)]
pub(super) struct Gone;

impl<T: Send + 'static, A: Send + 'static> Aside<T, A> {
    /// Starts the thread.
    ///
    /// # Errors
    /// If there can be no more threads.
    pub(super) fn start(name: &str, mut work: impl FnMut(T) -> A + Send + 'static) -> io::Result<Self> {
        let (tasks, asked) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        let work = move || {
            while let Ok(task) = asked.recv() {
                if answer.send(work(task)).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Self { tasks, answers, is_busy: false })
    }

    /// Whether it has nothing to do, and its latest answer was taken.
    pub(super) const fn is_free(&self) -> bool {
        !self.is_busy
    }

    /// Gives it a task. This waits only if it is not free.
    pub(super) fn ask(&mut self, task: T) {
        // One that has panicked does not answer, and that is noticed.
        let _ = self.tasks.send(task);
        self.is_busy = true;
    }

    /// Its answer, if there is one by now.
    pub(super) fn answer(&mut self) -> Result<Option<A>, Gone> {
        if !self.is_busy {
            return Ok(None);
        }
        match self.answers.try_recv() {
            Ok(answer) => {
                self.is_busy = false;
                Ok(Some(answer))
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Gone),
        }
    }

    /// Waits for its answer; none if nothing was asked.
    pub(super) fn wait(&mut self) -> Result<Option<A>, Gone> {
        if !self.is_busy {
            return Ok(None);
        }
        self.is_busy = false;
        self.answers.recv().map(Some).map_err(|_| Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_task_has_its_answer() {
        let mut sum = 0;
        let mut aside = Aside::start("sum", move |add: u64| {
            sum += add;
            sum
        })
        .unwrap();
        assert!(aside.is_free() && aside.answer().unwrap().is_none() && aside.wait().unwrap().is_none());
        aside.ask(3);
        assert!(!aside.is_free());
        assert_eq!(aside.wait().unwrap(), Some(3));
        aside.ask(4);
        let answer = loop {
            if let Some(answer) = aside.answer().unwrap() {
                break answer;
            }
            thread::yield_now();
        };
        assert_eq!(answer, 7);
        assert!(aside.is_free());
    }

    #[test]
    fn a_thread_that_is_gone_is_noticed() {
        let mut aside = Aside::start("gone", |(): ()| {
            // As after a panic, without its message among those of the tests.
            std::panic::resume_unwind(Box::new("gone"));
        })
        .unwrap();
        aside.ask(());
        assert!(aside.wait().is_err());
        aside.ask(());
        assert!(aside.wait().is_err() && aside.is_free());
    }
}
