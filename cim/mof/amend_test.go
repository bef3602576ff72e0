package mof

import (
	"testing"

	"github.com/casementhq/casement/cim"
)

// The master text is that of the documentation of localized class definitions,
// with a class and an instance more.
const master = `#pragma autorecover
#pragma namespace("\\\\.\\root")
instance of __Namespace
{
  Name = "TEST";
};
#pragma namespace("\\\\.\\root\\TEST")
[Description("Localized version of MyClass for American English") : Amended, LOCALE(0x409)]
class myclass
{
  [DisplayName("User Name") : Amended, Description("The Name property contains the name of the user") : Amended, key]
  string Name;
  uint64 Value; // non-localized value field
  [DisplayName("Time Stamp") : Amended, Description("This property shows when the object was created") : Amended]
  uint64 Timestamp = 5;
  void Start([In, Description("When") : Amended] uint64 At);
  void Stop();
};
class Plain { string S; };
class Below : myclass { [Values{"a", "b"} : Amended ToSubClass] uint8 State; };
instance of Plain as $P { S = "\"x\""; };
#pragma classflags("forceupdate", "updateonly")
#pragma deleteclass("Gone", nofail)
#pragma deleteinstance("Plain.S=\"x\"", fail)
`

const wantNeutral = `#pragma autorecover

#pragma namespace("\\\\.\\root")
instance of __Namespace
{
  Name = "TEST";
};

#pragma namespace("\\\\.\\root\\TEST")
[LOCALE(1033)]
class myclass
{
  [key] string Name;
  uint64 Value;
  uint64 Timestamp = 5;
  void Start([In] uint64 At);
  void Stop();
};

class Plain
{
  string S;
};

[Locale(1033)]
class Below : myclass
{
  uint8 State;
};

instance of Plain as $P
{
  S = "\"x\"";
};

#pragma classflags("updateonly", "forceupdate")
#pragma deleteclass("Gone", NOFAIL)

#pragma deleteinstance("Plain.S=\"x\"", FAIL)
`

const wantLocalized = `#pragma autorecover

#pragma namespace("\\\\.\\root\\TEST")
instance of __Namespace
{
  Name = "ms_409";
};
#pragma namespace("\\\\.\\root\\TEST\\ms_409")

[Description("Localized version of MyClass for American English") : Amended, Amendment, Locale(1033)]
class myclass
{
  [key, DisplayName("User Name") : Amended, Description("The Name property contains the name of the user") : Amended] string Name;
  [DisplayName("Time Stamp") : Amended, Description("This property shows when the object was created") : Amended] uint64 Timestamp;
  void Start([In, Description("When") : Amended] uint64 At);
};

[Amendment, Locale(1033)]
class Below : myclass
{
  [Values{"a", "b"} : Amended] uint8 State;
};
`

// T-90 of spec/wmi.md 10.
func TestSplit(t *testing.T) {
	f := parse(t, master)
	neutral, localized, err := Split(f, "MS_409")
	if err != nil {
		t.Fatal(err)
	}
	if string(neutral) != wantNeutral {
		t.Errorf("neutral:\n%s\nwant:\n%s", neutral, wantNeutral)
	}
	if string(localized) != wantLocalized {
		t.Errorf("localized:\n%s\nwant:\n%s", localized, wantLocalized)
	}
	for _, text := range [][]byte{neutral, localized} {
		if _, err := Parse("split.mof", text, ParseOptions{}); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := Split(f, ""); cim.StatusOf(err) != cim.ErrMofInvalidAmendmentSyntax {
		t.Error(err)
	}
	f = parse(t, `#pragma amendment("MS_407") `+master)
	if _, again, err := Split(f, ""); err != nil || string(again) == string(localized) {
		t.Errorf("%v\n%s", err, again)
	}
	if n, ok := ParseLocale("ms_0407"); n != 0x407 || !ok {
		t.Error(n, ok)
	}
}
