package security

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// utf16Hex writes ASCII as hexadecimal UTF-16LE with a byte code and a length before it.
func utf16Hex(code, text string) string {
	var b strings.Builder
	b.WriteString(code + hex.EncodeToString([]byte{byte(2 * len(text)), 0, 0, 0}))
	for i := range len(text) {
		b.WriteString(hex.EncodeToString([]byte{text[i], 0}))
	}
	return b.String()
}

func TestConditions(t *testing.T) {
	one := "04" + "0100000000000000" + "0302"
	ba := "5110000000" + "01020000000000052000000020020000"
	for _, c := range []struct{ text, hex, printed string }{
		// The three examples of [MS-DTYP] 2.4.4.17.9: the dump of the first, the postfix tables of the others.
		{`(Title=="VP")`, "61727478f80a0000005400690074006c0065001004000000560050008000" + "0000", `(Title == "VP")`},
		{`((@User.smartcard==1 || @Device.managed==1) && (@Resource.dept Any_of{"Sales","HR"}))`, "61727478" +
			utf16Hex("f9", "smartcard") + one + "80" + utf16Hex("fb", "managed") + one + "80" + "a1" +
			utf16Hex("fa", "dept") + "5018000000" + utf16Hex("10", "Sales") + utf16Hex("10", "HR") + "88" + "a0",
			`((@User.smartcard == 1 || @Device.managed == 1) && @Resource.dept Any_of {"Sales", "HR"})`},
		{`((@User.clearanceLevel>=@Resource.requiredClearance) || (Member_of{SID(BA)}))`, "61727478" +
			utf16Hex("f9", "clearanceLevel") + utf16Hex("fa", "requiredClearance") + "85" + "5015000000" + ba + "89" + "a1",
			`(@User.clearanceLevel >= @Resource.requiredClearance || Member_of {SID(BA)})`},
		// The number of 2.4.4.17.5.
		{`(a==-1)`, "61727478" + utf16Hex("f8", "a") + "04ffffffffffffffff0202" + "80", `(a == -1)`},
		{`(!exists a && b < +0x1F)`, "61727478" + utf16Hex("f8", "a") + "87a2" + utf16Hex("f8", "b") + "041f000000000000000103" + "82a0",
			`(!(Exists a) && b < +0x1f)`},
		{`(@User.a%0020b == #01ff)`, "61727478" + utf16Hex("f9", "a b") + "180200000001ff" + "80", `(@User.a%0020b == #01ff)`},
	} {
		want, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		for len(want)%4 != 0 {
			want = append(want, 0)
		}
		sd, err := ParseSDDL("D:(XA;;FX;;;WD;" + c.text + ")")
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := sd.DACL.ACEs[0].Data; !bytes.Equal(got, want) {
			t.Errorf("%s\ngot  %x\nwant %x", c.text, got, want)
		}
		b, err := sd.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeSecurityDescriptor(b)
		if err != nil || back.String() != "D:(XA;;FX;;;WD;"+c.printed+")" {
			t.Errorf("printed %v (%v)\nwant    %s", back, err, c.printed)
		}
	}
}

func TestConditionsRefused(t *testing.T) {
	for _, text := range []string{"()", "(a", "(a ==)", "(a == b)", "(a && )", "(Member_of a)", "(Member_of{1})", "(a == {1)",
		`(a == "x)`, "(@User. == 1)", "(a == 9223372036854775808)", "(a == 08)", "(a) b", "(a%00 == 1)",
		strings.Repeat("(", 100) + "a" + strings.Repeat(")", 100), "(" + strings.Repeat("!", 100) + "a)"} {
		if b, err := compileCondition(text, Domains{}); err == nil {
			t.Errorf("%s gave %x", text, b)
		}
	}
}

func TestUnreadableConditionsPrintAsBytes(t *testing.T) {
	for _, data := range []string{"61727478", "61727478a0000000", "6172747804010000000000000000000000000000", "00000000"} {
		text := "D:(XA;;FX;;;WD;#" + data + ")"
		if sd, err := ParseSDDL(text); err != nil || sd.String() != text {
			t.Errorf("%s: %v, %v", text, sd, err)
		}
	}
}
