package winrmtool

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
)

// parseNumber reads an error number: decimal, hexadecimal with 0x, or negative
// as a signed number of 32 bits.
func parseNumber(s string) (uint32, error) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseUint(s, 0, 32); err == nil {
		return uint32(n), nil
	}
	if n, err := strconv.ParseInt(s, 0, 32); err == nil {
		return uint32(int32(n)), nil
	}
	return 0, usage("%q is no error number; write it in decimal or as 0x and hexadecimal digits", clip(s))
}

// Message is the text of an error number of WS-Management, Win32, WinHTTP or
// WMI, or one wrapped as 0x8007....; false where it is not known.
func Message(n uint32) (string, bool) {
	if n == 0 {
		return "The operation completed successfully.", true
	}
	if c := wsman.Code(n); c.Known() {
		return c.Text(), true
	}
	if t, ok := win32Texts[n]; ok {
		return t, true
	}
	if t, ok := hresultTexts[n]; ok {
		return t, true
	}
	if name := cim.Status(n).Name(); name != "" {
		return wbemText(name), true
	}
	if n>>16 == 0x8007 {
		return Message(n & 0xFFFF)
	}
	return "", false
}

// describe is Message with a plain sentence for what is not known.
func describe(n uint32) string {
	if t, ok := Message(n); ok {
		return t
	}
	return fmt.Sprintf("There is no text for the error number 0x%08X.", n)
}
