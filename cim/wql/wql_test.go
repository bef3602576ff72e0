package wql

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
)

func testClass() *cim.Class {
	return cim.NewClass("Disk", cim.NewClass("Device", nil).Abstract().Build(`root\cimv2`)).
		Key("DeviceID", cim.String).
		Property("Availability", cim.Uint16).
		Property("Delta", cim.Sint8).
		Property("Load", cim.Real32).
		Property("Size", cim.Uint64).
		Property("Ready", cim.Boolean).
		Property("When", cim.Datetime).
		Property("Letter", cim.Char16).
		Property("Tags", cim.String.Array()).
		Property("Name", cim.String).
		Object("Part", "").
		Build("")
}

func testInstance(t testing.TB) *cim.Instance {
	part := cim.NewInstance(cim.NewClass("Partition", cim.NewClass("Extent", nil).Build("")).Property("Number", cim.Uint8).Build(""))
	i := cim.NewInstance(testClass())
	for name, v := range map[string]cim.Value{
		"DeviceID": cim.Str(`C:`), "Availability": cim.U16(3), "Delta": cim.Int(cim.Sint8, -5), "Load": cim.Real(cim.Real32, 1.5),
		"Size": cim.U64(1 << 63), "Ready": cim.Bool(true), "When": cim.Time("19980525133015.012345-300"),
		"Letter": cim.Uint(cim.Char16, 'c'), "Tags": cim.Strs([]string{"a"}), "Part": cim.Obj(part),
	} {
		if err := i.Set(name, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := part.Set("Number", cim.U8(7)); err != nil {
		t.Fatal(err)
	}
	return i
}

// TestMatch has the rules of spec/wmi.md 3.1 and 3.2, T-52 to T-60, and the
// cases validated on Windows of spec/proof.md 5.
func TestMatch(t *testing.T) {
	tests := []struct {
		where string
		want  bool
	}{
		{`DeviceID = 'c:'`, true}, {`"c:" = deviceid`, true}, {`DeviceID <> "C:"`, false}, {`DeviceID != 'D:'`, true},
		{`DeviceID > 'b:' AND DeviceID < 'd:'`, true}, {`'b:' > DeviceID`, false}, {`DeviceID >= 'C:' AND DeviceID <= 'c:'`, true},
		{`availability = '3'`, true}, {"Availability\n=\t3", true}, {`Availability = 0x3`, true}, {`4 > Availability`, true},
		{`Delta = -5`, true}, {`Delta < -4`, true}, {`Load = 1.5`, true}, {`Load > 1`, true}, {`Load < 15e-1`, false},
		{`Size = 9223372036854775808`, true}, {`Size > 9223372036854775807`, true},
		{`Ready = TRUE`, true}, {`Ready = 1`, true}, {`Ready <> FALSE`, true}, {`Ready = 'false'`, false}, {`Ready = -1`, true},
		{`Name IS NULL`, true}, {`Name IS NOT NULL`, false}, {`Name = NULL`, true}, {`NAME <> NULL`, false}, {`NULL = NAME`, true},
		{`Name = 'x'`, false}, {`Name <> 'x'`, false}, {`NOT Name = 'x'`, true},
		{`Availability=1 OR Availability=3 AND Ready=FALSE`, false}, {`Availability=3 OR Availability=1 AND Ready=FALSE`, true},
		{`(Availability=3 OR Availability=1) AND Ready=FALSE`, false}, {`NOT (Ready=FALSE)`, true}, {`NOT NOT Ready=TRUE`, true},
		{`DeviceID LIKE '%%C%'`, true}, {`DeviceID LIKE '_:'`, true}, {`DeviceID LIKE '[a-f]:'`, true}, {`DeviceID LIKE '[^a-f]%'`, false},
		{`NOT DeviceID LIKE '%x%'`, true}, {`DeviceID NOT LIKE 'c_'`, false}, {`Name LIKE '%'`, false},
		{`When = '19980525183015.012345+000'`, true}, {`When < '19980525183015.012346+000'`, true},
		{`When > '1998-05-25 18:30:15:012'`, true}, {`When > '1998-05-26'`, false}, {`When = '19980525133015.012345-***'`, false},
		{`Letter = 'c'`, true}, {`Letter = 99`, true}, {`Tags IS NOT NULL`, true},
		{`Part ISA 'partition'`, true}, {`Part ISA 'Extent'`, true}, {`Part ISA 'Disk'`, false},
		{`Part.Number = 7`, true}, {`Part.Number > 7`, false}, {`Part.Missing = 1`, false}, {`Part.Missing IS NULL`, false},
		{`__CLASS = 'disk'`, true}, {`__CLASS = 'Device'`, false}, {`__CLASS='Device' OR __CLASS='Disk'`, true}, {`__SUPERCLASS = 'Device'`, true},
		{`__DYNASTY LIKE 'dev%'`, true}, {`__RELPATH = 'Disk.DeviceID="C:"'`, true}, {`__GENUS = 2`, true},
	}
	i := testInstance(t)
	for _, tt := range tests {
		q, err := Parse("SELECT * FROM Disk WHERE " + tt.where + " ;")
		if err != nil {
			t.Errorf("%s: %v", tt.where, err)
			continue
		}
		b, err := Bind(q, i.Class())
		if err != nil {
			t.Errorf("%s: %v", tt.where, err)
			continue
		}
		if got := b.Match(i); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.where, got, tt.want)
		}
		if b.Never && tt.want {
			t.Errorf("%s: is never met", tt.where)
		}
	}
}

func TestErrors(t *testing.T) {
	deep := strings.Repeat("(", MaxNesting+1) + "a=1" + strings.Repeat(")", MaxNesting+1)
	tests := []struct {
		query  string
		status cim.Status
		column string
	}{
		{``, cim.ErrInvalidParameter, ""},
		{`SELEC * FROM Disk`, cim.ErrInvalidQuery, "column 1"},
		{`SELECT * FROM`, cim.ErrInvalidQuery, "column 14"},
		{`SELECT FROM Disk`, cim.ErrInvalidQuery, "column 13"},
		{`SELECT COUNT(*) FROM Disk`, cim.ErrInvalidQuery, "column 13"},
		{`SELECT * FROM Disk, Device`, cim.ErrInvalidQuery, "column 19"},
		{`SELECT * FROM Disk WHERE`, cim.ErrInvalidQuery, "column 25"},
		{`SELECT * FROM Disk WHERE Name = DeviceID`, cim.ErrInvalidQuery, "column 33"},
		{`SELECT * FROM Disk WHERE 1 = 1`, cim.ErrInvalidQuery, "column 30"},
		{`SELECT * FROM Disk WHERE Availability IS 5`, cim.ErrInvalidQuery, "column 42"},
		{`SELECT * FROM Disk WHERE Name IS NOT "NTFS"`, cim.ErrInvalidQuery, "column 38"},
		{`SELECT * FROM Disk WHERE Name > NULL`, cim.ErrInvalidQuery, "column 31"},
		{`SELECT * FROM Disk WHERE DeviceID LIKE "PCI\%"`, cim.ErrInvalidQuery, "column 44"},
		{`SELECT * FROM Disk WHERE DeviceID LIKE "[a"`, cim.ErrInvalidQuery, "column 35"},
		{`SELECT * FROM Disk WHERE DeviceID = "C`, cim.ErrInvalidQuery, "column 37"},
		{`SELECT * FROM Disk WHERE (Ready = TRUE`, cim.ErrInvalidQuery, "column 39"},
		{`SELECT * FROM Disk WHERE Missing = 1`, cim.ErrInvalidQuery, "column 26"},
		{`SELECT Missing FROM Disk`, cim.ErrInvalidQuery, "column 8"},
		{`SELECT * FROM Disk WHERE Tags = 'a'`, cim.ErrInvalidQuery, "column 31"},
		{`SELECT * FROM Disk WHERE Name.X = 'a'`, cim.ErrPropertyNotAnObject, "column 26"},
		{`SELECT * FROM Disk WHERE Ready >= 0`, cim.ErrInvalidOperator, "column 32"},
		{`SELECT * FROM Disk WHERE Part = 1`, cim.ErrInvalidOperator, "column 31"},
		{`SELECT * FROM Disk WHERE Size LIKE '1%'`, cim.ErrInvalidQuery, "column 31"},
		{`SELECT * FROM Disk WHERE When > '19980416******.000000+***'`, cim.ErrInvalidOperator, "column 31"},
		{`SELECT * FROM Disk WHERE When = 'Jan 21 1932'`, cim.ErrTypeMismatch, "column 31"},
		{`SELECT * FROM Disk WHERE Availability = 65536`, cim.ErrTypeMismatch, "column 39"},
		{`SELECT * FROM Disk WHERE Availability = 'x'`, cim.ErrTypeMismatch, "column 39"},
		{`SELECT * FROM Disk WHERE ` + deep, cim.ErrQuotaViolation, ""},
		{`SELECT * FROM Disk WHERE Delta=1` + strings.Repeat(" OR Delta=1", MaxOperators+1), cim.ErrQuotaViolation, ""},
		{strings.Repeat(" ", MaxLength+1), cim.ErrQuotaViolation, ""},
	}
	for _, tt := range tests {
		q, err := Parse(tt.query)
		if err == nil {
			_, err = Bind(q, testClass())
		}
		if !errors.Is(err, tt.status) || !strings.HasSuffix(err.Error(), tt.column) {
			t.Errorf("%.60q: %v, want %v %s", tt.query, err, tt.status, tt.column)
		}
	}
}

func TestLike(t *testing.T) {
	tests := []struct {
		pattern, s string
		want       bool
	}{
		{"%[_][_]%", "a__b", true}, {"%[_][_]%", "a_b", false}, {"__%", "ab", true}, {"__%", "a", false},
		{"[%]", "%", true}, {"[%]", "x", false}, {"[abc]x", "Bx", true}, {"[^abc]x", "Bx", false}, {"", "", true}, {"", "a", false},
		{"%", "", true}, {"a%b%c", "aXbYc", true}, {"a%b%c", "aXbY", false}, {"ÄÖ%", "äöü", true}, {"[a-c]%", "ä", false}, {"[]]", "]", true},
		{strings.Repeat("%a", 50), strings.Repeat("a", 49) + "b", false},
	}
	for _, tt := range tests {
		p, err := compilePattern(tt.pattern)
		if err != nil {
			t.Errorf("%q: %v", tt.pattern, err)
		} else if got := p.Match(tt.s); got != tt.want {
			t.Errorf("%q LIKE %q = %v", tt.s, tt.pattern, got)
		}
	}
}

func TestConstraints(t *testing.T) {
	q, err := Parse(`SELECT Name, Part.Number FROM Disk WHERE DeviceID='C:' AND (Availability='3' AND NOT Ready=FALSE) AND (Delta=1 OR Delta=2) AND 5 <= Delta AND Delta <> 9`)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Bind(q, testClass())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(b.Properties, ","); got != "Name,Part" {
		t.Errorf("properties %s", got)
	}
	if len(b.Constraints) != 2 || !b.Constraints[0].Value.Equal(cim.Str("C:")) || !b.Constraints[1].Value.Equal(cim.U16(3)) {
		t.Errorf("constraints %v", b.Constraints)
	}
	if len(b.Orders) != 1 || b.Orders[0].Op != GreaterOrEqual || b.Orders[0].Value.String() != "5" {
		t.Errorf("orders %v", b.Orders)
	}
}

func FuzzWQL(f *testing.F) {
	for _, s := range []string{
		`SELECT * FROM Disk`, `SELECT Name,Part.Number FROM Disk WHERE NOT (DeviceID LIKE "[^a-f]%\\") OR Size>=0x10 AND When<'1998-05-25';`,
		`select * from disk where 1.5e+3 < Load and Name is not null and Part isa "x"`,
	} {
		f.Add(s)
	}
	i := testInstance(f)
	f.Fuzz(func(t *testing.T, s string) {
		q, err := Parse(s)
		if err != nil {
			var e *cim.Error
			if !errors.As(err, &e) {
				t.Fatalf("%v is no *cim.Error", err)
			}
			return
		}
		b, err := Bind(q, i.Class())
		if err != nil {
			return
		}
		if b.Match(i) {
			for _, c := range b.Constraints {
				if !c.Holds(i) {
					t.Fatalf("%q matches an instance that does not meet constraint %v", s, c)
				}
			}
		}
	})
}

func TestMatchAllocatesNothing(t *testing.T) {
	b, i := bench(t)
	if n := testing.AllocsPerRun(100, func() { b.Match(i) }); n != 0 {
		t.Errorf("Match allocates %v times", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	bound, i := bench(b)
	b.ReportAllocs()
	for b.Loop() {
		bound.Match(i)
	}
}

func bench(t testing.TB) (*Bound, *cim.Instance) {
	q, err := Parse(`SELECT * FROM Disk WHERE DeviceID LIKE '[a-f]%' AND When > '1990-01-01' AND Part.Number = 7 AND (Size < 5 OR DeviceID >= 'c')`)
	if err != nil {
		t.Fatal(err)
	}
	i := testInstance(t)
	b, err := Bind(q, i.Class())
	if err != nil {
		t.Fatal(err)
	}
	if !b.Match(i) {
		t.Fatal("the query does not match")
	}
	return b, i
}

// BenchmarkReject looks at 100 000 instances, of which none is a result.
func BenchmarkReject(b *testing.B) {
	q, err := Parse(`SELECT * FROM Disk WHERE DeviceID LIKE '%9' AND Size > 5 AND NOT Availability = 3`)
	if err != nil {
		b.Fatal(err)
	}
	class := testClass()
	bound, err := Bind(q, class)
	if err != nil {
		b.Fatal(err)
	}
	instances := make([]*cim.Instance, 100_000)
	for n := range instances {
		values := make([]cim.Value, len(class.Properties))
		values[class.PropertyIndex("DeviceID")] = cim.Str("disk" + strconv.Itoa(n))
		values[class.PropertyIndex("Availability")] = cim.U16(3)
		values[class.PropertyIndex("Size")] = cim.U64(uint64(n))
		instances[n] = cim.MakeInstance(class, values)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, i := range instances {
			if bound.Match(i) {
				b.Fatal("a result")
			}
		}
	}
}
