//! The files as the classic leaves them, and what becomes of them.

use super::*;
