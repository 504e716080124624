//! A few functions and how they live: each day one emulated environment with the real extension.
//! Event times are given; nothing sleeps a day.

use anyhow::{Context, Result, ensure};
use rightsizer_records::Day;

use crate::emulator::{End, Environment, FunctionSpec, Invocation, Options, Reason};

/// Init duration of each day's environment.
const COLD_START_MS: f64 = 312.5;

/// One function's life.
#[derive(Debug, Clone)]
pub struct Life {
    /// Its name.
    pub name: &'static str,
    /// Its size when the story begins.
    pub memory_mb: u32,
    /// Memory used by its invocations, by day from 0; the last entry continues.
    pub used_mb: Vec<u32>,
    /// The day on which its last invocation runs out of memory.
    pub runs_out_on: Option<usize>,
    /// Invocations a day.
    pub invocations: u32,
    /// Duration of each.
    pub duration_ms: f64,
}

impl Life {
    /// A function that uses the same every day: five invocations of 120 ms.
    pub fn steady(name: &'static str, memory_mb: u32, used_mb: u32) -> Self {
        Self {
            name,
            memory_mb,
            used_mb: vec![used_mb],
            runs_out_on: None,
            invocations: 5,
            duration_ms: 120.0,
        }
    }

    /// What it uses on day `n`.
    fn used_on(&self, n: usize) -> u32 {
        self.used_mb
            .get(n)
            .or(self.used_mb.last())
            .copied()
            .unwrap_or(0)
    }

    /// Lives day `n`, which is `day`, in one environment of `memory_mb`, from half past midnight
    /// on. The environment spins down at the day's end, so every report is delivered.
    pub async fn live(&self, n: usize, day: Day, memory_mb: u32, options: Options) -> Result<()> {
        let spec = FunctionSpec::new(self.name, memory_mb);
        let mut environment = Environment::start(spec, options).await?;
        let begin = day.start().plus_ms(30 * 60_000);
        for i in 0..self.invocations {
            let at = begin.plus_ms(i64::from(i) * 60_000);
            let out = self.runs_out_on == Some(n) && i + 1 == self.invocations;
            let invocation = if out {
                Invocation::ok(at, memory_mb, self.duration_ms).ending(End::OutOfMemory)
            } else {
                Invocation::ok(at, self.used_on(n), self.duration_ms)
            };
            let init_ms = (i == 0).then_some(COLD_START_MS);
            let invocation = Invocation {
                init_ms,
                ..invocation
            };
            environment.invoke(invocation).await?;
        }
        let log = environment.log();
        let exit = environment
            .shutdown(Reason::Spindown)
            .await
            .with_context(|| format!("{} on {day}; the extension logged: {log}", self.name))?;
        ensure!(
            exit.code == Some(0) && !exit.killed,
            "{} on {day}: {exit:?}; {log}",
            self.name
        );
        Ok(())
    }

    /// One invocation an hour and a quarter after midnight: it closes the day before.
    pub async fn close_day_before(&self, day: Day, memory_mb: u32, options: Options) -> Result<()> {
        let spec = FunctionSpec::new(self.name, memory_mb);
        let mut environment = Environment::start(spec, options).await?;
        let at = day.start().plus_ms(75 * 60_000);
        environment
            .invoke(Invocation::ok(at, self.used_on(0), self.duration_ms))
            .await?;
        let exit = environment.shutdown(Reason::Spindown).await?;
        ensure!(
            exit.code == Some(0) && !exit.killed,
            "{}: {exit:?}",
            self.name
        );
        Ok(())
    }
}
