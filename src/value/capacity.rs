//! How much room a Go slice has behind its end.
//!
//! Templates can look there: `slice $list 0 4` of a list of three is an error only if its capacity is three, and a list that was
//! read from YAML, one item after the other, has four. So lists know their capacity, and this is how Go's `append` chooses it
//! (Go 1.26 `runtime/slice.go` and `internal/runtime/gc/sizeclasses.go`, 64 bits).

use super::Elem;

/// The sizes that Go's allocator hands out, up to 32 KiB; beyond, whole pages.
const SIZES: [usize; 67] = [
    8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384, 416, 448, 480,
    512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072, 3200, 3456, 4096, 4864,
    5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072, 20480,
    21760, 24576, 27264, 28672, 32768,
];

const PAGE: usize = 8192;

/// Objects with pointers and larger than this carry a header of eight bytes.
const MIN_SIZE_FOR_HEADER: usize = 512;

/// The bytes of an element, and whether it has no pointers.
const fn layout(elem: Elem) -> (usize, bool) {
    match elem {
        Elem::Any | Elem::Str => (16, false),
        Elem::Int => (8, true),
        Elem::Slice => (24, false),
        Elem::Map | Elem::Named(_) => (8, false),
    }
}

fn round_up_size(size: usize, no_pointers: bool) -> usize {
    let header = if !no_pointers && size > MIN_SIZE_FOR_HEADER { 8 } else { 0 };
    let wanted = size.saturating_add(header);
    match SIZES.iter().find(|s| **s >= wanted) {
        Some(s) if size <= 32768 - 8 => s - header,
        _ => size.saturating_add(PAGE - 1) / PAGE * PAGE,
    }
}

/// The capacity after `append` needed room for `len` items in a slice that had room for `cap` (Go's `growslice`).
pub(super) fn grow(elem: Elem, cap: usize, len: usize) -> usize {
    if len <= cap {
        return cap;
    }
    let double = cap.saturating_mul(2);
    let wanted = if len > double {
        len
    } else if cap < 256 {
        double
    } else {
        let mut wanted = cap;
        while wanted < len {
            wanted = wanted.saturating_add(wanted.saturating_add(3 * 256) >> 2);
        }
        wanted
    };
    let (size, no_pointers) = layout(elem);
    round_up_size(wanted.saturating_mul(size), no_pointers) / size
}

/// The capacity of a slice that began with room for `cap` and had `len` items appended, one at a time.
pub(super) fn appended(elem: Elem, cap: usize, len: usize) -> usize {
    let mut cap = cap;
    while cap < len {
        cap = grow(elem, cap, cap + 1);
    }
    cap
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacities_are_those_of_go() {
        for (elem, from, len, want) in [
            (Elem::Any, 0, 0, 0),
            (Elem::Any, 0, 3, 4),
            (Elem::Any, 0, 17, 32),
            (Elem::Any, 0, 33, 71),
            (Elem::Any, 0, 72, 143),
            (Elem::Int, 0, 33, 64),
            (Elem::Int, 0, 5, 8),
            (Elem::Str, 10, 11, 20),
            (Elem::Str, 10, 31, 43),
            (Elem::Str, 10, 45, 87),
            (Elem::Str, 10, 88, 191),
        ] {
            assert_eq!(appended(elem, from, len), want, "{elem:?} {from} {len}");
        }
        for (cap, len, want) in
            [(3, 4, 6), (7, 8, 14), (15, 16, 30), (31, 32, 63), (32, 33, 71), (99, 100, 199), (1, 17, 18)]
        {
            assert_eq!(grow(Elem::Any, cap, len), want, "{cap} {len}");
        }
    }
}
