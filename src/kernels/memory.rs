//! What becomes of the memory of large pictures.

/// Has this program's allocator keep what is freed, for the next layer.
///
/// A layer of 1024 pixels makes up to 134 MB. By itself glibc takes as much from the system each time and gives it back
/// afterwards, and the system clears every page of it, which takes a part of each edit. A program that computes
/// calls this once, before it loads a model. With other allocators it does nothing.
pub fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu", not(miri)))]
    // SAFETY: it changes what the allocator does from now on, and nothing that it has done.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}
