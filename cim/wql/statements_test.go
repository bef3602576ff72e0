package wql

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
)

// results are the names of those of the instances that a query finds. Each
// instance is looked at with the query bound to its class.
func results(t *testing.T, query string, instances ...*cim.Instance) ([]string, error) {
	t.Helper()
	q, err := Parse(query)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, i := range instances {
		if !i.Class().IsA(q.Class) {
			continue
		}
		b, err := Bind(q, i.Class())
		if err != nil {
			return nil, err
		}
		if match := b.Match(i); match {
			names = append(names, i.Get("Name").String())
		}
	}
	return names, nil
}

// statementInstances are of class C and of its subclass D.
func statementInstances(t *testing.T) []*cim.Instance {
	part := cim.NewInstance(cim.NewClass("Part", nil).Property("Number", cim.Uint8).Build(""))
	if err := part.Set("Number", cim.U8(7)); err != nil {
		t.Fatal(err)
	}
	base := cim.NewClass("C", nil).Key("Name", cim.String).Property("A", cim.Sint32).Property("B", cim.Sint32).
		Property("Flag", cim.Boolean).Property("Size", cim.Uint64).Property("Born", cim.Datetime).Property("Other", cim.String).
		Object("Part", "").Build(`root\cimv2`)
	derived := cim.NewClass("D", base).Build("")
	var list []*cim.Instance
	for n, name := range []string{"CAT", "a__b", "b_c_d", "x", "fox"} {
		i := cim.NewInstance(base)
		if name == "fox" {
			i = cim.NewInstance(derived)
		}
		for property, v := range map[string]cim.Value{
			"Name": cim.Str(name), "A": cim.S32(int32(n)), "B": cim.S32(int32(n % 2)), "Flag": cim.Bool(n%2 == 1), "Size": cim.U64(uint64(n) << 60),
			"Born": cim.Time(cim.DateTime("2020010" + string(rune('1'+n)) + "120000.000000+060")), "Part": cim.Obj(part),
		} {
			if err := i.Set(property, v); err != nil {
				t.Fatal(err)
			}
		}
		list = append(list, i)
	}
	return list
}

// TestDataStatements has T-51 to T-60 of spec/wmi.md 10 and the rows of
// spec/proof.md 5 that were validated on Windows, as far as they are about the
// language. The names that a row expects are those of statementInstances.
func TestDataStatements(t *testing.T) {
	instances := statementInstances(t)
	all := []string{"CAT", "a__b", "b_c_d", "x", "fox"}
	tests := []struct {
		name, query string
		want        []string
		err         cim.Status
	}{
		{"T-51 two properties", `SELECT * FROM C WHERE A=B`, nil, cim.ErrInvalidQuery},
		{"T-52 case-blind", `SELECT * FROM C WHERE Name = 'cat'`, []string{"CAT"}, 0},
		{"T-53 no order of booleans", `SELECT * FROM C WHERE Flag >= 0`, nil, cim.ErrInvalidOperator},
		{"T-53 inequality of booleans", `SELECT * FROM C WHERE Flag <> FALSE`, []string{"a__b", "x"}, 0},
		{"T-54 IS number", `SELECT * FROM C WHERE A IS 5`, nil, cim.ErrInvalidQuery},
		{"T-54 IS NOT string", `SELECT * FROM C WHERE Name IS NOT "NTFS"`, nil, cim.ErrInvalidQuery},
		{"T-54 IS NOT NULL", `SELECT * FROM C WHERE Name IS NOT NULL`, all, 0},
		{"T-54 IS NULL", `SELECT * FROM C WHERE Other IS NULL`, all, 0},
		{"T-55 AND binds tighter", `SELECT * FROM C WHERE A=1 OR A=2 AND B=1`, []string{"a__b"}, 0},
		{"T-56 two underscores", `SELECT * FROM C WHERE Name LIKE "%[_][_]%"`, []string{"a__b"}, 0},
		{"T-56 two characters", `SELECT * FROM C WHERE Name LIKE "__%"`, []string{"CAT", "a__b", "b_c_d", "fox"}, 0},
		{"T-57 negated set", `SELECT * FROM C WHERE Name LIKE "[^a-f]%"`, []string{"x"}, 0},
		{"T-58 NOT before the property", `SELECT * FROM C WHERE A > 0 AND NOT Name LIKE "%x%"`, []string{"a__b", "b_c_d"}, 0},
		{"T-59 subclasses", `SELECT * FROM C`, all, 0},
		{"T-59 the class alone", `SELECT * FROM C WHERE __CLASS="C"`, []string{"CAT", "a__b", "b_c_d", "x"}, 0},
		{"T-59 one of classes", `SELECT * FROM C WHERE __CLASS="D" OR __CLASS="E"`, []string{"fox"}, 0},
		{"T-60 missing in an embedded object", `SELECT * FROM C WHERE Part.MISSING = 1`, []string{}, 0},
		{"row 1 empty", ``, nil, cim.ErrInvalidParameter},
		{"row 3 unknown property", `SELECT Missing FROM C`, nil, cim.ErrInvalidQuery},
		{"row 3 literal on the left", `SELECT * FROM C WHERE 'CAT' = Name`, []string{"CAT"}, 0},
		{"row 3 order with the literal on the left", `SELECT * FROM C WHERE 3 <= A`, []string{"x", "fox"}, 0},
		{"row 3 doubled percent", `SELECT * FROM C WHERE Name LIKE '%%X%'`, []string{"x", "fox"}, 0},
		{"row 3 doubled backslashes", `SELECT * FROM C WHERE Name = 'C:\\WINDOWS'`, []string{}, 0},
		{"row 3 white space", "SELECT\n*\tFROM\r\nC WHERE\tA\n=\n3", []string{"x"}, 0},
		{"row 3 number as text", `SELECT * FROM C WHERE a = '3'`, []string{"x"}, 0},
		{"row 3 <> NULL", `SELECT * FROM C WHERE NAME <> NULL`, all, 0},
		{"row 3 NULL on the left", `SELECT * FROM C WHERE NULL = OTHER`, all, 0},
		{"row 9 escaped backslash", `SELECT * FROM C WHERE Name LIKE "PCI\\%"`, []string{}, 0},
		{"row 9 lone backslash", `SELECT * FROM C WHERE Name LIKE "PCI\%"`, nil, cim.ErrInvalidQuery},
		{"row 10 string order", `SELECT * FROM C WHERE Name > 'B:' AND Name < 'd:'`, []string{"CAT", "b_c_d"}, 0},

		{"3.1 semicolon", `SELECT * FROM C WHERE A = 0x3;`, []string{"x"}, 0},
		{"3.1 TRUE is 1", `SELECT * FROM C WHERE A = TRUE`, []string{"a__b"}, 0},
		{"3.1 TRUE is -1", `SELECT * FROM C WHERE Flag = -1`, []string{"a__b", "x"}, 0},
		{"3.1 uint64", `SELECT * FROM C WHERE Size >= 3458764513820540928`, []string{"x", "fox"}, 0},
		{"3.1 real", `SELECT * FROM C WHERE A > 2.5`, nil, cim.ErrTypeMismatch},
		{"3.1 quotes", `SELECT * FROM C WHERE Name = "\"" OR Name = '\''`, []string{}, 0},
		{"3.1 a keyword as a name", `SELECT * FROM C WHERE Like = 1`, nil, cim.ErrInvalidQuery},
		{"3.1 no functions", `SELECT * FROM C WHERE upper(Name) = 'A'`, nil, cim.ErrInvalidQuery},
		{"3.1 no order by", `SELECT * FROM C ORDER BY Name`, nil, cim.ErrInvalidQuery},
		{"3.1 no arithmetic", `SELECT * FROM C WHERE A + 1 = 2`, nil, cim.ErrInvalidQuery},
		{"3.2 no COUNT", `SELECT COUNT(*) FROM C`, nil, cim.ErrInvalidQuery},
		{"3.2 order with NULL", `SELECT * FROM C WHERE A < NULL`, nil, cim.ErrInvalidQuery},
		{"3.2 WITHIN is for events", `SELECT * FROM C WITHIN 5`, nil, cim.ErrInvalidQuery},
		{"3.2 unknown system property", `SELECT __FOO FROM C`, nil, cim.ErrInvalidQuery},
		{"3.2 datetime in UTC", `SELECT * FROM C WHERE Born = '20200101110000.000000+000'`, []string{"CAT"}, 0},
		{"3.2 ISO datetime", `SELECT * FROM C WHERE Born > '2020-01-04 10:59:59:999'`, []string{"x", "fox"}, 0},
		{"3.2 locale's datetime", `SELECT * FROM C WHERE Born = 'Jan 21 1932'`, nil, cim.ErrTypeMismatch},
		{"3.2 embedded class", `SELECT * FROM C WHERE Part ISA 'Part' AND Part.__CLASS = 'PART' AND Part.Number = 7`, all, 0},
		{"3.2 embedded system property", `SELECT * FROM C WHERE Part.__SUPERCLASS IS NULL AND Part.__GENUS = 2`, all, 0},
		{"3.2 dot after a scalar", `SELECT * FROM C WHERE Name.X = 1`, nil, cim.ErrPropertyNotAnObject},
		{"3.2 dot after a system property", `SELECT * FROM C WHERE Part.__CLASS.X = 1`, nil, cim.ErrPropertyNotAnObject},
		{"3.2 LIKE is = for a number", `SELECT * FROM C WHERE A LIKE '3'`, []string{"x"}, 0},
		{"3.2 a number has no pattern", `SELECT * FROM C WHERE A LIKE '3%'`, nil, cim.ErrInvalidQuery},
		{"3.2 a set with =", `SELECT * FROM C WHERE Name LIKE '[w=y]%'`, []string{"x"}, 0},
		{"2.3 __SUPERCLASS", `SELECT * FROM C WHERE __SUPERCLASS = 'c'`, []string{"fox"}, 0},
		{"2.3 __SUPERCLASS of a top class", `SELECT * FROM D WHERE __SUPERCLASS IS NULL`, []string{}, 0},
		{"2.3 __DYNASTY", `SELECT * FROM C WHERE __DYNASTY = 'C' AND __CLASS LIKE 'd'`, []string{"fox"}, 0},
		{"2.3 __RELPATH", `SELECT * FROM C WHERE __RELPATH = 'C.Name="cat"'`, []string{"CAT"}, 0},
		{"2.3 __PATH", `SELECT * FROM C WHERE __PATH LIKE '%:D.Name=%'`, []string{"fox"}, 0},
		{"2.3 __NAMESPACE", `SELECT * FROM C WHERE __NAMESPACE = 'ROOT\\CIMV2' AND __GENUS = 2 AND __PROPERTY_COUNT = 8`, all, 0},
		{"2.3 __DERIVATION", `SELECT * FROM C WHERE __DERIVATION = 'C'`, nil, cim.ErrInvalidQuery},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := results(t, tt.query, instances...)
			if tt.err != 0 {
				if !errors.Is(err, tt.err) {
					t.Errorf("%s: %v %v, want %v", tt.query, got, err, tt.err)
				}
				return
			}
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("%s: %q %v, want %q", tt.query, got, err, tt.want)
			}
		})
	}
}

// TestSchemaStatements has T-61 and T-62 and the predicates of spec/wmi.md 3.3.
func TestSchemaStatements(t *testing.T) {
	a := cim.NewClass("A", nil).Build(`root\cimv2`)
	b := cim.NewClass("B", a).Build("")
	c := cim.NewClass("C", b).Build("")
	win := cim.NewClass("Win32_X", nil).Property("P", cim.String).Build(`root\cimv2`)
	classes := []*cim.Class{a, b, c, cim.NewClass("B2", a).Build(""), win}
	tests := []struct {
		name, where string
		want        string
		scope       Scope
	}{
		{"3.3 all", "", "A B C B2 Win32_X", Scope{}},
		{"T-62 __this ISA", ` WHERE __this ISA "b"`, "B C", Scope{Below: "b"}},
		{"2.2.1 ISA without quotes", ` WHERE __THIS ISA b`, "B C", Scope{Below: "b"}},
		{"T-62 __CLASS", ` WHERE __Class = "B"`, "B", Scope{Names: []string{"B"}}},
		{"T-62 __SUPERCLASS", ` WHERE __SUPERCLASS = "A"`, "B B2", Scope{Children: "A"}},
		{"T-62 __DYNASTY", ` WHERE __DYNASTY = "A"`, "A B C B2", Scope{Below: "A"}},
		{"3.3 __DYNASTY of no top class", ` WHERE __DYNASTY = "B"`, "", Scope{Below: "B"}},
		{"3.3 top classes", ` WHERE __SUPERCLASS IS NULL`, "A Win32_X", Scope{Tops: true}},
		{"3.3 NULL on the left", ` WHERE NULL = __SUPERCLASS`, "A Win32_X", Scope{Tops: true}},
		{"3.3 not top classes", ` WHERE __SUPERCLASS IS NOT NULL`, "B C B2", Scope{}},
		{"3.3 LIKE", ` WHERE __CLASS LIKE "b%"`, "B B2", Scope{}},
		{"3.3 NOT <", ` WHERE NOT __class < "Win32"`, "Win32_X", Scope{}},
		{"3.3 OR", ` WHERE __CLASS = "A" OR "C" = __CLASS`, "A C", Scope{Names: []string{"A", "C"}}},
		{"3.3 OR of unlike", ` WHERE __CLASS = "A" OR __SUPERCLASS = "B"`, "A C", Scope{}},
		{"3.3 AND", ` WHERE NOT __CLASS = "B" AND __this ISA "B"`, "C", Scope{Below: "B"}},
		{"3.3 NOT ISA", ` WHERE NOT __this ISA "A"`, "Win32_X", Scope{}},
		{"2.3 __GENUS", ` WHERE __GENUS = 1 AND __PROPERTY_COUNT > 0`, "Win32_X", Scope{}},
		{"2.3 __RELPATH", ` WHERE __RELPATH = "B" AND __NAMESPACE = "root\\cimv2" AND __PATH = "root\\cimv2:b"`, "B", Scope{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			query := "SELECT * FROM meta_class" + tt.where
			q, err := ParseSchema(query)
			if err != nil || !IsSchema(query) {
				t.Fatal(err)
			}
			var got []string
			for _, c := range classes {
				if q.Match(c) {
					got = append(got, c.Name)
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%s: %q, want %q", tt.where, got, tt.want)
			}
			if !slices.Equal(q.Scope.Names, tt.scope.Names) || q.Scope.Below != tt.scope.Below || q.Scope.Children != tt.scope.Children || q.Scope.Tops != tt.scope.Tops {
				t.Errorf("%s: scope %+v, want %+v", tt.where, q.Scope, tt.scope)
			}
			if n := testing.AllocsPerRun(10, func() { q.Match(win) }); n != 0 && !strings.Contains(query, "__PATH") {
				t.Errorf("%s: Match allocates %v times", tt.where, n)
			}
		})
	}
	for name, query := range map[string]string{
		"T-61 a list":            `SELECT __CLASS FROM meta_class`,
		"3.3 ordinary property":  `SELECT * FROM meta_class WHERE Name = 'x'`,
		"3.3 ISA of __CLASS":     `SELECT * FROM meta_class WHERE __CLASS ISA 'x'`,
		"3.3 ISA of a property":  `SELECT * FROM meta_class WHERE Name ISA 'x'`,
		"3.3 __this = ":          `SELECT * FROM meta_class WHERE __this = 'x'`,
		"3.3 array":              `SELECT * FROM meta_class WHERE __DERIVATION = 'x'`,
		"3.3 not meta_class":     `SELECT * FROM Win32_X WHERE __CLASS = 'x'`,
		"3.3 WITHIN":             `SELECT * FROM meta_class WITHIN 5`,
		"3.3 ISA without a name": `SELECT * FROM meta_class WHERE __this ISA ""`,
	} {
		if q, err := ParseSchema(query); !errors.Is(err, cim.ErrInvalidQuery) && !errors.Is(err, cim.ErrInvalidOperator) {
			t.Errorf("%s: %v %v, want an invalid query", name, q, err)
		}
	}
}

// TestAssociatorStatements has T-63, T-64 and row 4 of spec/proof.md 5.
func TestAssociatorStatements(t *testing.T) {
	tests := []struct {
		name, query string
		err         cim.Status
	}{
		{"T-63 any order", `ASSOCIATORS OF {X=1} WHERE ResultRole=R KeysOnly AssocClass = A Role= S ResultClass =C`, 0},
		{"T-63 AND", `ASSOCIATORS OF {X=1} WHERE AssocClass=A AND ResultClass=C`, cim.ErrInvalidQuery},
		{"T-63 <>", `ASSOCIATORS OF {X=1} WHERE ResultClass<>C`, cim.ErrInvalidQuery},
		{"T-63 comma", `ASSOCIATORS OF {X=1} WHERE AssocClass=A, ResultClass=C`, cim.ErrInvalidQuery},
		{"T-64 ClassDefsOnly with ResultClass", `ASSOCIATORS OF {X=1} WHERE ResultClass=C ClassDefsOnly`, cim.ErrInvalidQuery},
		{"T-64 in REFERENCES", `REFERENCES OF {X=1} WHERE ResultClass=C ClassDefsOnly`, cim.ErrInvalidQuery},
		{"row 4 without a blank", `ASSOCIATORS OF{X.A=1}`, 0},
		{"row 4 AssocClass first", `ASSOCIATORS OF {X.A=1} WHERE AssocClass=A ClassDefsOnly`, 0},
		{"row 4 ClassDefsOnly first", `ASSOCIATORS OF {X.A=1} WHERE ClassDefsOnly AssocClass=A`, 0},
		{"row 4 without the key's name", `ASSOCIATORS OF {X="a"}`, 0},
		{"row 4 single quotes", `ASSOCIATORS OF {X.A='a'} where ClassDefsOnly`, 0},
		{"row 4 single quotes without a name", `REFERENCES OF {X='a "b" }'}`, 0},
		{"3.4 SchemaOnly of a class", `REFERENCES OF {X} WHERE SchemaOnly ResultClass=C Role=R RequiredQualifier=Q`, 0},
		{"3.4 SchemaOnly of an instance", `REFERENCES OF {X=1} WHERE SchemaOnly`, cim.ErrInvalidQuery},
		{"3.4 SchemaOnly of a singleton", `ASSOCIATORS OF {X=@} WHERE SchemaOnly`, cim.ErrInvalidQuery},
		{"3.4 qualifiers", `ASSOCIATORS OF {X=1} WHERE RequiredAssocQualifier=A RequiredQualifier=B`, 0},
		{"3.4 AssocClass in REFERENCES", `REFERENCES OF {X=1} WHERE AssocClass=A`, cim.ErrInvalidQuery},
		{"3.4 ResultRole in REFERENCES", `REFERENCES OF {X=1} WHERE ResultRole=A`, cim.ErrInvalidQuery},
		{"3.4 RequiredAssocQualifier in REFERENCES", `REFERENCES OF {X=1} WHERE RequiredAssocQualifier=A`, cim.ErrInvalidQuery},
		{"3.4 twice", `ASSOCIATORS OF {X=1} WHERE KeysOnly KeysOnly`, cim.ErrInvalidQuery},
		{"3.4 quoted value", `ASSOCIATORS OF {X=1} WHERE ResultClass="C"`, cim.ErrInvalidQuery},
		{"3.4 unknown keyword", `ASSOCIATORS OF {X=1} WHERE Class=C`, cim.ErrInvalidQuery},
		{"3.4 without a value", `ASSOCIATORS OF {X=1} WHERE ResultClass=`, cim.ErrInvalidQuery},
		{"3.4 blank in the path", `ASSOCIATORS OF {X.A = 1}`, cim.ErrInvalidQuery},
		{"3.4 namespace without a server", `ASSOCIATORS OF {root\cimv2}`, cim.ErrInvalidQuery},
		{"3.4 namespace alone", `ASSOCIATORS OF {\\.\root\cimv2}`, cim.ErrInvalidQuery},
		{"3.1 semicolon", `REFERENCES OF {X=1} WHERE KeysOnly;`, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := ParseAssociators(tt.query)
			if tt.err == 0 && err != nil || tt.err != 0 && !errors.Is(err, tt.err) {
				t.Errorf("%s: %+v %v, want %v", tt.query, a, err, tt.err)
			}
		})
	}
}

// The same object may be written in several ways.
func TestSameReference(t *testing.T) {
	const whole = `\\VM\root\cimv2:Win32_Group.Domain="VM",Name="Administrators"`
	for other, want := range map[string]bool{
		whole: true,
		`Win32_Group.Domain='vm',Name='administrators'`:                    true,
		`win32_group.Name="Administrators",Domain="VM"`:                    true,
		`root\cimv2:Win32_Group.Domain='VM',Name='Administrators'`:         true,
		`\\.\root\cimv2:Win32_Group.Domain='VM',Name='Administrators'`:     true,
		`\\OTHER\root\cimv2:Win32_Group.Domain='VM',Name='Administrators'`: false,
		`root\default:Win32_Group.Domain='VM',Name='Administrators'`:       false,
		`Win32_Group.Domain='VM',Name='Users'`:                             false,
		`Win32_UserAccount.Domain='VM',Name='Administrators'`:              false,
		`Win32_Group.Name='Administrators'`:                                false,
		`Administrators`:                                                   false,
	} {
		class := (&cim.Class{Name: "Win32_GroupUser", Properties: []cim.Property{{Name: "GroupComponent", Type: cim.Reference, Key: true}}}).Seal()
		i := cim.NewInstance(class)
		if err := i.Set("GroupComponent", cim.Ref(whole)); err != nil {
			t.Fatal(err)
		}
		literal := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(other)
		for op, match := range map[string]bool{"=": want, "<>": !want} {
			got, err := results(t, `SELECT * FROM Win32_GroupUser WHERE GroupComponent `+op+` "`+literal+`"`, i)
			if err != nil || (len(got) == 1) != match {
				t.Errorf("%s %s %s: %q, %v", whole, op, other, got, err)
			}
		}
	}
}
