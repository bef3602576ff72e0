package host

import (
	"fmt"
	"strings"

	"github.com/casementhq/casement/cim"
)

// locale is the language of the machine in the form of locale(7): "en_US.UTF-8"; "" where unknown.
type locale string

func (p *Provider) locale() locale {
	for _, path := range []string{"etc/locale.conf", "etc/default/locale"} {
		if l := assignments(p.read(path))["LANG"]; l != "" {
			return locale(l)
		}
	}
	return ""
}

// languageID are the language identifiers of [MS-LCID] 2.2 for the locales that distributions offer at setup.
var languageID = map[string]uint32{
	"ar_SA": 0x0401, "bg_BG": 0x0402, "ca_ES": 0x0403, "zh_TW": 0x0404, "cs_CZ": 0x0405, "da_DK": 0x0406,
	"de_DE": 0x0407, "el_GR": 0x0408, "en_US": 0x0409, "fi_FI": 0x040B, "fr_FR": 0x040C, "he_IL": 0x040D,
	"hu_HU": 0x040E, "it_IT": 0x0410, "ja_JP": 0x0411, "ko_KR": 0x0412, "nl_NL": 0x0413, "nb_NO": 0x0414,
	"pl_PL": 0x0415, "pt_BR": 0x0416, "ro_RO": 0x0418, "ru_RU": 0x0419, "sk_SK": 0x041B, "sv_SE": 0x041D,
	"tr_TR": 0x041F, "uk_UA": 0x0422, "zh_CN": 0x0804, "de_CH": 0x0807, "en_GB": 0x0809, "es_MX": 0x080A,
	"pt_PT": 0x0816, "es_ES": 0x0C0A, "de_AT": 0x0C07, "en_AU": 0x0C09, "fr_CA": 0x0C0C, "en_CA": 0x1009,
}

func (l locale) language() string {
	name, _, _ := strings.Cut(string(l), ".")
	name, _, _ = strings.Cut(name, "@")
	return name
}

func (l locale) lcid() cim.Value {
	if id, ok := languageID[l.language()]; ok {
		return cim.U32(id)
	}
	return cim.Value{}
}

func (l locale) hex() cim.Value {
	if id, ok := languageID[l.language()]; ok {
		return cim.Str(fmt.Sprintf("%04x", id))
	}
	return cim.Value{}
}

// tags are the language tags: "en-US". The locales C and POSIX are no language.
func (l locale) tags() []string {
	if n := l.language(); strings.Contains(n, "_") {
		return []string{strings.ReplaceAll(n, "_", "-")}
	}
	return nil
}

// codePage is the Windows number of the character set.
func (l locale) codePage() cim.Value {
	_, set, _ := strings.Cut(string(l), ".")
	set, _, _ = strings.Cut(set, "@")
	switch strings.ToLower(strings.ReplaceAll(set, "-", "")) {
	case "utf8":
		return cim.Str("65001")
	case "iso88591":
		return cim.Str("28591")
	case "iso885915":
		return cim.Str("28605")
	}
	return cim.Value{}
}
