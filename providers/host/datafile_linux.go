package host

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/casementhq/casement/cim"
)

const (
	fileMount uint32 = 1 << iota
)

// fileRow is a file or a directory.
type fileRow struct {
	name   string // absolute and clean
	class  string
	csName string
	unix.Statx_t
	mount    *mountinfo.Info // nil where unknown
	location *time.Location
}

type fileColumn = column[fileRow]

func (r *fileRow) kind() uint16      { return r.Mode & unix.S_IFMT }
func (r *fileRow) isDirectory() bool { return r.kind() == unix.S_IFDIR }

// fileNames are the directory with a slash at its end, the name without its extension, and the extension.
func (r *fileRow) fileNames() (dir, base, extension string) {
	dir, base = path.Split(r.name)
	if dot := strings.LastIndexByte(base, '.'); dot > 0 {
		return dir, base[:dot], base[dot+1:]
	}
	return dir, base, ""
}

func fileText(name string, get func(*fileRow) string) fileColumn {
	return fileColumn{name: name, get: func(r *fileRow) cim.Value { return strOrNull(get(r)) }}
}

// fileStamp is NULL where the file system does not keep the time.
func fileStamp(name string, mask uint32, get func(*fileRow) unix.StatxTimestamp) fileColumn {
	return fileColumn{name: name, get: func(r *fileRow) cim.Value {
		t := get(r)
		if r.Mask&mask == 0 || mask == unix.STATX_BTIME && t.Sec <= 0 {
			return cim.Value{}
		}
		return timeOrNull(time.Unix(t.Sec, int64(t.Nsec)), r.location)
	}}
}

// fileAttribute is NULL where the file system does not have the attribute.
func fileAttribute(name string, bit uint64) fileColumn {
	return fileColumn{name: name, get: func(r *fileRow) cim.Value {
		if r.Attributes_mask&bit == 0 {
			return cim.Value{}
		}
		return cim.Bool(r.Attributes&bit != 0)
	}}
}

var fileTypes = map[uint16]string{
	unix.S_IFREG: "File", unix.S_IFDIR: "File Folder", unix.S_IFLNK: "Symbolic Link", unix.S_IFIFO: "Named Pipe",
	unix.S_IFSOCK: "Socket", unix.S_IFCHR: "Character Device", unix.S_IFBLK: "Block Device",
}

// fileColumns are the same for files and directories. What a mode of Unix does not say (Archive, System, AccessMask)
// stays NULL.
var fileColumns = []fileColumn{
	fileText("Name", func(r *fileRow) string { return r.name }),
	fileText("Caption", func(r *fileRow) string { return r.name }),
	fileText("Description", func(r *fileRow) string { return r.name }),
	fileText("CreationClassName", func(r *fileRow) string { return r.class }),
	{name: "CSCreationClassName", get: fixedStr[fileRow]("Win32_ComputerSystem")},
	fileText("CSName", func(r *fileRow) string { return r.csName }),
	{name: "FSCreationClassName", get: fixedStr[fileRow]("Win32_FileSystem")},
	{name: "FSName", need: fileMount, get: func(r *fileRow) cim.Value {
		if r.mount == nil {
			return cim.Value{}
		}
		return cim.Str(r.mount.FSType)
	}},
	{name: "Drive", need: fileMount, get: func(r *fileRow) cim.Value {
		if r.mount == nil {
			return cim.Value{}
		}
		return cim.Str(r.mount.Mountpoint)
	}},
	fileText("Path", func(r *fileRow) string { d, _, _ := r.fileNames(); return d }),
	{name: "FileName", get: func(r *fileRow) cim.Value { _, n, _ := r.fileNames(); return cim.Str(n) }},
	{name: "Extension", get: func(r *fileRow) cim.Value { _, _, e := r.fileNames(); return cim.Str(e) }},
	fileText("FileType", func(r *fileRow) string { return fileTypes[r.kind()] }),
	{name: "FileSize", get: func(r *fileRow) cim.Value {
		if r.kind() != unix.S_IFREG && r.kind() != unix.S_IFLNK {
			return cim.Value{}
		}
		return cim.U64(r.Size)
	}},
	fileStamp("CreationDate", unix.STATX_BTIME, func(r *fileRow) unix.StatxTimestamp { return r.Btime }),
	fileStamp("InstallDate", unix.STATX_BTIME, func(r *fileRow) unix.StatxTimestamp { return r.Btime }),
	fileStamp("LastAccessed", unix.STATX_ATIME, func(r *fileRow) unix.StatxTimestamp { return r.Atime }),
	fileStamp("LastModified", unix.STATX_MTIME, func(r *fileRow) unix.StatxTimestamp { return r.Mtime }),
	{name: "Hidden", get: func(r *fileRow) cim.Value { return cim.Bool(strings.HasPrefix(path.Base(r.name), ".")) }},
	fileAttribute("Compressed", unix.STATX_ATTR_COMPRESSED),
	fileAttribute("Encrypted", unix.STATX_ATTR_ENCRYPTED),
	{name: "Readable", get: func(r *fileRow) cim.Value { return cim.Bool(r.Mode&0o444 != 0) }},
	{name: "Writeable", get: func(r *fileRow) cim.Value {
		return cim.Bool(r.Mode&0o222 != 0 && r.Attributes&unix.STATX_ATTR_IMMUTABLE == 0)
	}},
	{name: "Status", get: fixedStr[fileRow]("OK")},
}

// files is the table of a class of files; wanted tells by the mode which ones are of it.
func files(class string, wanted func(*fileRow) bool) *table[fileRow] {
	return &table[fileRow]{name: class, columns: fileColumns,
		gather: func(ctx context.Context, p *Provider, need uint32, q query, f func(*fileRow) error) error {
			return p.gatherFiles(ctx, class, need, q, func(r *fileRow) error {
				if !wanted(r) {
					return nil
				}
				return f(r)
			})
		}}
}

var (
	dataFileTable  = files("CIM_DataFile", func(r *fileRow) bool { return !r.isDirectory() })
	directoryTable = files("Win32_Directory", (*fileRow).isDirectory)
)

// gatherFiles gives the file that Name names or what stands in the directory that Path names.
func (p *Provider) gatherFiles(ctx context.Context, class string, need uint32, q query, f func(*fileRow) error) error {
	r := &fileRow{class: class, csName: p.hostName(), location: p.location()}
	var mounts []*mountinfo.Info
	if need&fileMount != 0 {
		mounts, _ = p.mounts()
	}
	one := func(name string) error {
		if !p.stat(name, r) {
			return nil
		}
		r.mount = mountOf(mounts, name)
		return f(r)
	}
	if name, ok := q.text("Name"); ok {
		return one(name)
	}
	dir, ok := q.text("Path")
	if !ok {
		return unbounded(classNamed(class))
	}
	base, hasBase := q.text("FileName")
	extension, hasExtension := q.text("Extension")
	if hasBase && hasExtension {
		if extension != "" {
			base += "." + extension
		}
		return one(dir + base)
	}
	if !strings.HasSuffix(dir, "/") {
		return nil
	}
	return p.readDir(ctx, dir, one)
}

// readDir calls f with the path of each entry of a directory; one that cannot be read has none.
func (p *Provider) readDir(ctx context.Context, dir string, f func(name string) error) error {
	if !cleanPath(strings.TrimSuffix(dir, "/")) && dir != "/" {
		return nil
	}
	// Only a directory is opened: a pipe would wait for a writer for ever, and the opening of a device can do things.
	d, err := os.OpenFile(filepath.Join(p.root, dir), os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil //nolint:nilerr // nothing that could be seen is there
	}
	defer d.Close()
	for ctx.Err() == nil {
		names, err := d.Readdirnames(256)
		for _, n := range names {
			if err := f(strings.TrimSuffix(dir, "/") + "/" + n); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || len(names) == 0 {
			return nil
		}
	}
	return ctx.Err()
}

// cleanPath tells whether a path is absolute, without parts that lead nowhere or up, and no longer than paths are.
func cleanPath(name string) bool {
	return len(name) < unix.PathMax && strings.HasPrefix(name, "/") && path.Clean(name) == name && !strings.Contains(name, "\x00")
}

// stat reads what stands at the end of a path; a link is not followed.
func (p *Provider) stat(name string, r *fileRow) bool {
	if !cleanPath(name) {
		return false
	}
	err := unix.Statx(unix.AT_FDCWD, filepath.Join(p.root, name), unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT,
		unix.STATX_BASIC_STATS|unix.STATX_BTIME, &r.Statx_t)
	r.name = name
	return err == nil
}

// mountOf is the mount that a path is on.
func mountOf(mounts []*mountinfo.Info, name string) (best *mountinfo.Info) {
	for _, m := range mounts {
		if name != m.Mountpoint && m.Mountpoint != "/" && !strings.HasPrefix(name, m.Mountpoint+"/") {
			continue
		}
		if best == nil || len(m.Mountpoint) > len(best.Mountpoint) {
			best = m
		}
	}
	return best
}

// containRow says that something stands in a directory.
type containRow struct{ group, part cim.Value }

// contained is the table of an association of directories with what stands in them.
func contained(class, groupClass, partClass string, wanted func(*fileRow) bool) *table[containRow] {
	return &table[containRow]{name: class, columns: []column[containRow]{
		{name: "GroupComponent", get: func(r *containRow) cim.Value { return r.group }},
		{name: "PartComponent", get: func(r *containRow) cim.Value { return r.part }},
	}, gather: func(ctx context.Context, p *Provider, _ uint32, q query, f func(*containRow) error) error {
		var r fileRow
		one := func(name string) error {
			if !p.stat(name, &r) || !wanted(&r) {
				return nil
			}
			return f(&containRow{fileRef(q.server, groupClass, path.Dir(name)), fileRef(q.server, partClass, name)})
		}
		if group, ok := q.endpoint("GroupComponent"); ok {
			dir, _ := group.Key("Name")
			name, _ := dir.Str()
			return p.readDir(ctx, strings.TrimSuffix(name, "/")+"/", one)
		}
		if part, ok := q.endpoint("PartComponent"); ok {
			name, _ := part.Key("Name")
			if text, _ := name.Str(); text != "/" {
				return one(text)
			}
			return nil
		}
		return unbounded(classNamed(class))
	}}
}

var (
	containsFileTable = contained("CIM_DirectoryContainsFile", "Win32_Directory", "CIM_DataFile", func(r *fileRow) bool { return !r.isDirectory() })
	subDirectoryTable = contained("Win32_SubDirectory", "Win32_Directory", "Win32_Directory", (*fileRow).isDirectory)
)

func fileRef(server, class, name string) cim.Value {
	p := cim.ObjectPath{Server: server, Namespace: Namespace, Class: class, Keys: []cim.Key{{Name: "Name", Value: cim.Str(name)}}}
	return cim.Ref(p.String())
}
