package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// File is keepalived's FILE_CHECK, as 2.2.7 does it: a file has a number, and what isn't there, or has none, counts as 0. See
// WatchFiles for how to learn of a change at once. The file should be on a local file system: nothing ends a read that hangs.
//
// Some things differ. keepalived stays with the last number after one that is too large, which counts as 0 here, with a warning, as
// for all that is no number. It forgets Reverse without a weight until the file changes for the first time. And it
// loses count of weights that need more than 32 bits, which end at the largest here.
func File(ctx context.Context, spec health.File) (f health.Finding, err error) {
	text, err := readNumber(spec.Path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		f.Warning = fmt.Sprintf("%s counts as 0: %v", spec.Path, err)
	}
	n, err := number(text)
	if err != nil {
		f.Warning = fmt.Sprintf("%s counts as 0: %v", spec.Path, err)
	}
	step(ctx, "%s has %q: %d", spec.Path, text, n)
	if !spec.Weighed {
		switch {
		case (n == 0) != spec.Reverse:
			return f, nil
		case f.Warning != "":
			return f, errors.New(f.Warning)
		case missing:
			return f, fmt.Errorf("%s is not there, which counts as 0", spec.Path)
		}
		return f, fmt.Errorf("%s has %d", spec.Path, n)
	}
	sum := n * int64(spec.Weight)
	if spec.Reverse {
		sum = -sum
	}
	if sum <= -math.MaxInt32 {
		return f, fmt.Errorf("%s has %d, which takes away all weight", spec.Path, n)
	}
	if sum != 0 {
		f.Advice = health.Advice{Kind: health.Add, Value: int32(min(sum, math.MaxInt32))}
	}
	return f, nil
}

// readNumber returns the beginning of a regular file: opening anything else may block, or have effects.
func readNumber(path string) (string, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("not a regular file")
	}
	b, err := io.ReadAll(io.LimitReader(file, 128))
	return string(b), err
}

// number reads as C's strtol does with base 0: space before it and anything after it don't matter, 0x1F and 017 are numbers, and
// what is none is 0, of which the error tells. So does that of a number of more than 32 bits, which is 0 as well.
func number(text string) (int64, error) {
	text = strings.TrimLeft(text, " \t\n\v\f\r")
	if text == "" {
		return 0, nil
	}
	digits, sign := text, ""
	if digits[0] == '+' || digits[0] == '-' {
		digits, sign = text[1:], text[:1]
	}
	base, set := 10, "0123456789"
	switch lower := strings.ToLower(digits); {
	case len(lower) > 2 && lower[:2] == "0x" && strings.IndexByte("0123456789abcdef", lower[2]) >= 0:
		base, set, digits = 16, "0123456789abcdefABCDEF", digits[2:]
	case strings.HasPrefix(lower, "0"):
		base, set = 8, "01234567"
	}
	digits = digits[:len(digits)-len(strings.TrimLeft(digits, set))]
	if digits == "" {
		return 0, fmt.Errorf("%q is no number", text)
	}
	n, err := strconv.ParseInt(sign+digits, base, 32)
	if err != nil {
		return 0, fmt.Errorf("%s is too large", sign+digits)
	}
	return n, nil
}
