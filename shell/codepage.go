package shell

import (
	"fmt"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// UTF8 is the code page in which bytes pass unchanged.
const UTF8 = 65001

// CodePageError says that a code page cannot be set. Its WS-Man error is
// 0x80338140.
type CodePageError struct{ CodePage int }

func (e *CodePageError) Error() string {
	return fmt.Sprintf("shell: code page %d cannot be set (0x80338140); use 65001 or 437", e.CodePage)
}

// Code returns the WS-Man error number.
func (e *CodePageError) Code() uint32 { return 0x80338140 }

var codePages = map[int]*charmap.Charmap{
	437: charmap.CodePage437, 850: charmap.CodePage850, 852: charmap.CodePage852, 855: charmap.CodePage855,
	858: charmap.CodePage858, 860: charmap.CodePage860, 862: charmap.CodePage862, 863: charmap.CodePage863,
	865: charmap.CodePage865, 866: charmap.CodePage866, 874: charmap.Windows874,
	1250: charmap.Windows1250, 1251: charmap.Windows1251, 1252: charmap.Windows1252, 1253: charmap.Windows1253,
	1254: charmap.Windows1254, 1255: charmap.Windows1255, 1256: charmap.Windows1256, 1257: charmap.Windows1257,
	1258: charmap.Windows1258, 20866: charmap.KOI8R, 21866: charmap.KOI8U, 28591: charmap.ISO8859_1, 28605: charmap.ISO8859_15,
}

// CheckCodePage returns nil or a *CodePageError. 0 stands for 65001.
func CheckCodePage(cp int) error {
	_, err := codePage(cp)
	return err
}

// codePage returns the encoding of cp, nil for UTF-8.
func codePage(cp int) (encoding.Encoding, error) {
	if cp == 0 || cp == UTF8 {
		return nil, nil
	}
	if e, ok := codePages[cp]; ok {
		return e, nil
	}
	return nil, &CodePageError{CodePage: cp}
}
