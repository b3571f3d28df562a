//! Stubs for the C compiler's library for stack unwinding.
//!
//! In the agent a panic aborts, so no stack is ever unwound. The standard library still calls the
//! unwinder to print a backtrace: code that reads and decompresses debug information and demangles
//! names, a quarter of the agent, which has no debug information. As these stubs visit no frame,
//! the optimiser removes all of it.

// The compiler can't check that a name which the linker looks for is the right function.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::process::abort;

/// The result of `_Unwind_Backtrace` at the end of the stack.
const END_OF_STACK: c_int = 5;

/// Reports an empty stack.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_each_frame: *mut c_void, _argument: *mut c_void) -> c_int {
    END_OF_STACK
}

/// Functions that are called only while a stack is unwound.
macro_rules! never_called {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name() -> ! {
            abort()
        }
    )*};
}

// All functions of the library: one of its own would bring in the others, and each name may be
// defined only once.
never_called! {
    _Unwind_DeleteException _Unwind_FindEnclosingFunction _Unwind_ForcedUnwind _Unwind_GetCFA
    _Unwind_GetDataRelBase _Unwind_GetIP _Unwind_GetIPInfo _Unwind_GetLanguageSpecificData
    _Unwind_GetRegionStart _Unwind_GetTextRelBase _Unwind_RaiseException _Unwind_Resume
    _Unwind_Resume_or_Rethrow _Unwind_SetGR _Unwind_SetIP
}
