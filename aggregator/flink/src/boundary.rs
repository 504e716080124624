//! The JNI calls of `rightsizer.Native`. No panic crosses them: `with_env` catches it, and Java gets an exception with
//! the words.
#![expect(
    unsafe_code,
    reason = "a function that Java finds by its name is exported by an unsafe attribute; there is no unsafe block"
)]

use std::sync::{Arc, PoisonError, RwLock};

use jni::EnvUnowned;
use jni::errors::ThrowRuntimeExAndDefault;
use jni::objects::{JByteArray, JClass};
use jni::sys::{jboolean, jint, jlong};
use rightsizer_records::{Day, Timestamp};

use super::engine::{Engine, EngineError};
use super::frames::Writer;
use super::moment::Moment;

/// The engines that are open. A handle is a place here, never a pointer, so that no mistake of the caller's is worse
/// than an exception.
static ENGINES: RwLock<Vec<Arc<Engine>>> = RwLock::new(Vec::new());

/// No closed day.
const NO_DAY: jint = jint::MIN;

/// Why a call fails.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the JVM refused a call: {0}")]
    Jni(#[from] jni::errors::Error),
    #[error("{0} is not a time")]
    Time(i64),
    #[error("the settings are not UTF-8")]
    Text,
}

fn time(ms: jlong) -> Result<Timestamp, CallError> {
    Timestamp::from_ms(ms).ok_or(CallError::Time(ms))
}

fn engine(handle: jlong) -> Result<Arc<Engine>, CallError> {
    let engines = ENGINES.read().unwrap_or_else(PoisonError::into_inner);
    let place = usize::try_from(handle).ok();
    let found = place.and_then(|place| engines.get(place)).cloned();
    Ok(found.ok_or(EngineError::NotOpen(handle))?)
}

/// `long open(byte[] settings)`
#[unsafe(no_mangle)]
extern "system" fn Java_rightsizer_Native_open<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    settings: JByteArray<'local>,
) -> jlong {
    env.with_env(|env| -> Result<jlong, CallError> {
        let settings = env.convert_byte_array(settings)?;
        let settings = String::from_utf8(settings).map_err(|_| CallError::Text)?;
        let engine = Arc::new(Engine::open(&settings)?);
        let mut engines = ENGINES.write().unwrap_or_else(PoisonError::into_inner);
        engines.push(engine);
        Ok(jlong::try_from(engines.len() - 1).unwrap_or_default())
    })
    .resolve::<ThrowRuntimeExAndDefault>()
}

/// `byte[] read(long engine, byte[] records, long nowMs)`, see [`Engine::read`].
#[unsafe(no_mangle)]
extern "system" fn Java_rightsizer_Native_read<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    handle: jlong,
    records: JByteArray<'local>,
    now_ms: jlong,
) -> JByteArray<'local> {
    env.with_env(|env| -> Result<JByteArray<'local>, CallError> {
        let records = env.convert_byte_array(records)?;
        let answer = engine(handle)?.read(&records, time(now_ms)?)?;
        Ok(env.byte_array_from_slice(&answer)?)
    })
    .resolve::<ThrowRuntimeExAndDefault>()
}

/// `byte[] advance(long engine, byte[] function, byte[] state, byte[] inputs, long nowMs, long eventMs, int closedDay,
/// boolean closes)`, see [`Engine::advance`]. The answer is a byte, 1 if the function is active, the state, and the
/// proposals.
#[unsafe(no_mangle)]
extern "system" fn Java_rightsizer_Native_advance<'local>(
    mut env: EnvUnowned<'local>,
    _class: JClass<'local>,
    handle: jlong,
    function: JByteArray<'local>,
    state: JByteArray<'local>,
    inputs: JByteArray<'local>,
    now_ms: jlong,
    event_ms: jlong,
    closed_day: jint,
    closes: jboolean,
) -> JByteArray<'local> {
    env.with_env(|env| -> Result<JByteArray<'local>, CallError> {
        let function = String::from_utf8(env.convert_byte_array(function)?);
        let function = function.map_err(|_| CallError::Text)?;
        let state = env.convert_byte_array(state)?;
        let inputs = env.convert_byte_array(inputs)?;
        let moment = Moment {
            now: time(now_ms)?,
            event: time(event_ms)?,
            closed: (closed_day != NO_DAY).then(|| Day::from_number(closed_day)),
            closes,
        };
        let step = engine(handle)?.advance(&function, &state, &inputs, moment)?;
        let mut answer = Writer::default();
        answer.byte(step.active.into());
        answer.bytes(&step.state);
        step.proposals.iter().for_each(|one| answer.bytes(one));
        Ok(env.byte_array_from_slice(&answer.0)?)
    })
    .resolve::<ThrowRuntimeExAndDefault>()
}

/// `int version()`: the version of the states that this library writes.
#[unsafe(no_mangle)]
extern "system" fn Java_rightsizer_Native_version(
    _env: EnvUnowned<'_>,
    _class: JClass<'_>,
) -> jint {
    jint::from(rightsizer_rules::state::STATE_VERSION)
}
