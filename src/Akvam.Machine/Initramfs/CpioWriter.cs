using System.Globalization;
using System.Text;

namespace Akvam.Machine.Initramfs;

/// <summary>Writes a cpio archive in the "newc" format, as Linux takes for an initramfs.</summary>
/// <remarks>Times and owners are zero and inode numbers count up, so the same content gives the same bytes.</remarks>
public sealed class CpioWriter
{
    private const int TypeDirectory = 0x4000, TypeFile = 0x8000, TypeLink = 0xA000, TypeCharacterDevice = 0x2000;

    private readonly MemoryStream _out = new();
    private int _inode;

    public void AddDirectory(string name, int mode = 0x1ED) => Add(name, TypeDirectory | mode, []);

    /// <summary>A regular file; mode 1EDh is rwxr-xr-x.</summary>
    public void AddFile(string name, ReadOnlySpan<byte> content, int mode = 0x1ED) => Add(name, TypeFile | mode, content);

    public void AddLink(string name, string target) => Add(name, TypeLink | 0x1FF, Encoding.UTF8.GetBytes(target));

    /// <summary>A character device; mode 180h is rw-------.</summary>
    public void AddCharacterDevice(string name, int major, int minor, int mode = 0x180) => Add(name, TypeCharacterDevice | mode, [], major, minor);

    /// <summary>Ends the archive and returns it.</summary>
    public byte[] ToArray()
    {
        Add("TRAILER!!!", 0, []);
        return _out.ToArray();
    }

    private void Add(string name, int mode, ReadOnlySpan<byte> content, int major = 0, int minor = 0)
    {
        byte[] nameBytes = Encoding.UTF8.GetBytes(name + '\0');
        _inode++;
        int[] fields = [_inode, mode, 0, 0, 1, 0, content.Length, 0, 0, major, minor, nameBytes.Length, 0];
        _out.Write("070701"u8);
        foreach (int field in fields)
        {
            _out.Write(Encoding.ASCII.GetBytes(field.ToString("X8", CultureInfo.InvariantCulture)));
        }

        _out.Write(nameBytes);
        Pad();
        _out.Write(content);
        Pad();
    }

    private void Pad()
    {
        while (_out.Length % 4 != 0)
        {
            _out.WriteByte(0);
        }
    }
}
