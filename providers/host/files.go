package host

import (
	"slices"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
)

// FilesProviderName is the Provider qualifier of the classes of [NewFiles].
const FilesProviderName = "CasementFiles"

// NewFiles makes the provider of CIM_DataFile, Win32_Directory and the associations between them; on other systems than
// Linux it has no classes. What a caller sees and changes is what this process may, so that it runs in a process of the
// caller's user where that is another one. Of the options it needs Files and Server, and takes Root and Log.
func NewFiles(o Options) *Provider {
	p := newProvider(o, fileSources)
	p.filesOnly = true
	return p
}

// FilesBounded tells whether a request for a class of [NewFiles] names what it wants. One that does not is refused, with
// cim.ErrProviderNotCapable: the disk is not walked.
func FilesBounded(r *cimom.Request) error {
	for _, name := range []string{"Name", "Path", "GroupComponent", "PartComponent"} {
		if _, ok := r.Constraint(name); ok {
			return nil
		}
	}
	return unbounded(r.Class)
}

// unbounded refuses to walk the disk.
func unbounded(class *cim.Class) error {
	detail := "the query must be bounded: WHERE Name = 'a path', or WHERE Path = 'a directory with a slash at its end'"
	if class.IsAssociation() {
		detail = "the query must be bounded: WHERE GroupComponent = 'the path of a directory', or ASSOCIATORS OF a directory"
	}
	return &cim.Error{Status: cim.ErrProviderNotCapable, Path: class.Name, Detail: detail}
}

func isFileClass(c *cim.Class) bool {
	return slices.ContainsFunc(fileSources, func(s source) bool { return cim.EqualFold(s.className(), c.Name) })
}
