//! As much of DER and of SSH's wire format as keys need.

/// The tag of a sequence.
pub(super) const SEQUENCE: u8 = 0x30;
/// The tag of an integer.
pub(super) const INTEGER: u8 = 0x02;

/// Takes one DER value with the expected tag off the front: its content, and what follows.
pub(super) fn der(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = input.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        let length = digits
            .iter()
            .fold(0, |length, digit| length << 8 | usize::from(*digit));
        (length, rest)
    };
    rest.split_at_checked(length)
}

/// Appends a string of SSH's wire format (RFC 4251, section 5): its length, its bytes.
pub(super) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    // Nothing here comes near 4 GiB.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend(length.to_be_bytes());
    out.extend(bytes);
}

/// Takes a string of SSH's wire format off the front.
pub(super) fn take_string<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_u32(input)?).ok()?;
    let (string, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(string)
}

/// Takes a number of SSH's wire format off the front.
pub(super) fn take_u32(input: &mut &[u8]) -> Option<u32> {
    let (number, rest) = input.split_first_chunk::<4>()?;
    *input = rest;
    Some(u32::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_short_is_nothing() {
        assert_eq!(
            der(&[0x30, 0x02, 1, 2, 3], SEQUENCE),
            Some((&[1, 2][..], &[3][..]))
        );
        let long: &[u8] = &[0x30, 0x82, 0x00, 0x01, 7];
        assert_eq!(der(long, SEQUENCE), Some((&[7][..], &[][..])));
        for short in [
            &[][..],
            &[0x30],
            &[0x30, 3, 1],
            &[0x30, 0x82, 1],
            &[0x02, 0],
        ] {
            assert_eq!(der(short, SEQUENCE), None, "{short:?}");
        }
        let wide: &[u8] = &[0x30, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1];
        assert_eq!(der(wide, SEQUENCE), None);
    }

    #[test]
    fn strings_read_back_and_half_ones_do_not() {
        let mut wire = Vec::new();
        put_string(&mut wire, b"one");
        put_string(&mut wire, b"");
        let mut rest = wire.as_slice();
        assert_eq!(take_string(&mut rest), Some(&b"one"[..]));
        assert_eq!(take_string(&mut rest), Some(&b""[..]));
        assert_eq!(take_string(&mut rest), None);
        assert_eq!(take_string(&mut &wire[..5]), None);
    }
}
