package host

import (
	"bytes"
	"compress/gzip"
	"context"
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/casementhq/casement/cim"
)

// mostModule bounds how large a kernel module may be that is unpacked.
const mostModule = 64 << 20

// moduleInfo is what a module tells about itself: modinfo(8).
type moduleInfo struct{ description, version, signer string }

// moduleFiles are the modules of the running kernel. See modules.dep(5).
type moduleFiles struct {
	dir     string
	paths   map[string]string // by name, relative to dir
	builtin map[string][]string
	read    map[string]moduleInfo
}

// moduleFiles reads the list; it is empty on a machine without /lib/modules.
func (p *Provider) moduleFiles() *moduleFiles {
	base := "lib/modules/" + p.read("proc/sys/kernel/osrelease") + "/"
	m := &moduleFiles{dir: filepath.Join(p.root, base), paths: map[string]string{}, builtin: map[string][]string{}, read: map[string]moduleInfo{}}
	for line := range strings.SplitSeq(p.read(base+"modules.dep"), "\n") {
		if path, _, ok := strings.Cut(line, ":"); ok {
			m.paths[moduleName(path)] = path
		}
	}
	for entry := range strings.SplitSeq(p.read(base+"modules.builtin.modinfo"), "\x00") { // "e1000.version=1.0"
		if name, field, ok := strings.Cut(entry, "."); ok {
			name = moduleName(name)
			m.builtin[name] = append(m.builtin[name], field)
		}
	}
	return m
}

// moduleName is the name of a module as the kernel has it, of the path of its file.
func moduleName(path string) string {
	name, _, _ := strings.Cut(filepath.Base(path), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

// path is where the file of a module is; "" for one that is part of the kernel or not found.
func (m *moduleFiles) path(name string) string {
	path := m.paths[name]
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(m.dir, path)
}

// info is what a module tells; it is read when somebody asks first.
func (m *moduleFiles) info(name string) moduleInfo {
	if i, ok := m.read[name]; ok {
		return i
	}
	fields := m.builtin[name]
	if path := m.path(name); path != "" {
		fields = modinfo(path)
	}
	var i moduleInfo
	for _, f := range fields {
		switch key, value, _ := strings.Cut(f, "="); key {
		case "description":
			i.description = value
		case "version":
			i.version = value
		case "signer":
			i.signer = value
		}
	}
	m.read[name] = i
	return i
}

// modinfo is the section of that name in the file of a module, plain or packed by gzip; none where it is packed in
// another way.
func modinfo(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var file io.ReaderAt = f
	if strings.HasSuffix(path, ".gz") {
		plain, err := gzip.NewReader(f)
		if err != nil {
			return nil
		}
		b, err := io.ReadAll(io.LimitReader(plain, mostModule))
		if err != nil {
			return nil
		}
		file = bytes.NewReader(b)
	}
	object, err := elf.NewFile(file)
	if err != nil {
		return nil
	}
	section := object.Section(".modinfo")
	if section == nil {
		return nil
	}
	text, err := section.Data()
	if err != nil {
		return nil
	}
	return strings.Split(strings.Trim(string(text), "\x00"), "\x00")
}

// kernelModule is one line of /proc/modules.
type kernelModule struct {
	p           *Provider
	name, state string
	files       *moduleFiles
	auto        bool
}

func kernelModuleText(name string, get func(*kernelModule) string) column[kernelModule] {
	return column[kernelModule]{name: name, get: func(m *kernelModule) cim.Value { return strOrNull(get(m)) }}
}

// title is what the module says of itself, or its name.
func (m *kernelModule) title() string {
	if d := m.files.info(m.name).description; d != "" {
		return d
	}
	return m.name
}

var kernelModuleTable = &table[kernelModule]{name: "Win32_SystemDriver", gather: gatherKernelModules, columns: []column[kernelModule]{
	{name: "CreationClassName", get: fixedStr[kernelModule]("Win32_SystemDriver")},
	{name: "SystemCreationClassName", get: fixedStr[kernelModule]("Win32_ComputerSystem")},
	kernelModuleText("SystemName", func(m *kernelModule) string { return m.p.hostName() }),
	kernelModuleText("Name", func(m *kernelModule) string { return m.name }),
	kernelModuleText("DisplayName", (*kernelModule).title),
	kernelModuleText("Caption", (*kernelModule).title),
	kernelModuleText("Description", (*kernelModule).title),
	kernelModuleText("PathName", func(m *kernelModule) string { return m.files.path(m.name) }),
	{name: "State", get: func(m *kernelModule) cim.Value {
		switch m.state {
		case "Live":
			return cim.Str("Running")
		case "Loading":
			return cim.Str("Start Pending")
		case "Unloading":
			return cim.Str("Stop Pending")
		}
		return cim.Value{}
	}},
	{name: "Status", get: func(m *kernelModule) cim.Value {
		if m.state != "Live" {
			return cim.Value{}
		}
		return cim.Str("OK")
	}},
	{name: "Started", get: func(m *kernelModule) cim.Value { return cim.Bool(m.state == "Live") }},
	{name: "StartMode", get: func(m *kernelModule) cim.Value {
		if m.auto {
			return cim.Str("Auto")
		}
		return cim.Str("Manual") // when something needs it
	}},
	{name: "ServiceType", get: func(m *kernelModule) cim.Value {
		if strings.Contains(m.files.path(m.name), "/kernel/fs/") {
			return cim.Str("File System Driver")
		}
		return cim.Str("Kernel Driver")
	}},
	{name: "AcceptPause", get: fixedValue[kernelModule](cim.Bool(false))},
	{name: "DesktopInteract", get: fixedValue[kernelModule](cim.Bool(false))},
}}

// gatherKernelModules reads /proc/modules. See proc(5).
func gatherKernelModules(_ context.Context, p *Provider, _ uint32, q query, f func(*kernelModule) error) error {
	name, one := q.text("Name")
	var files *moduleFiles
	atStart := p.modulesAtStart()
	for line := range strings.SplitSeq(p.read("proc/modules"), "\n") {
		fields := strings.Fields(line) // name, size, uses, users, state, address
		if len(fields) < 5 || one && !cim.EqualFold(name, fields[0]) {
			continue
		}
		if files == nil {
			files = p.moduleFiles()
		}
		if err := f(&kernelModule{p: p, name: fields[0], state: fields[4], files: files, auto: atStart[fields[0]]}); err != nil {
			return err
		}
	}
	return nil
}

// modulesAtStart are the modules that the machine is told to load when it starts. See modules-load.d(5).
func (p *Provider) modulesAtStart() map[string]bool {
	out := map[string]bool{}
	files := []string{"etc/modules"}
	for _, dir := range []string{"etc/modules-load.d", "run/modules-load.d", "usr/lib/modules-load.d"} {
		entries, err := os.ReadDir(filepath.Join(p.root, dir))
		if err != nil {
			continue
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".conf") {
				files = append(files, dir+"/"+e.Name())
			}
		}
	}
	for _, file := range files {
		for line := range strings.SplitSeq(p.read(file), "\n") {
			if line = strings.TrimSpace(line); line != "" && !strings.ContainsAny(line[:1], "#;") {
				out[moduleName(strings.Fields(line)[0])] = true
			}
		}
	}
	return out
}
