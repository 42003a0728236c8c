using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Akvam.Cpu.Native;

/// <summary>
/// One piece of memory for code. Where the host insists that no page be writable and executable, it is mapped twice: writable here, executable there; elsewhere it is one
/// mapping, which counts once and can have huge pages.
/// </summary>
/// <remarks>Valid until it is collected, and its owner (<see cref="ExecutableMemory"/>) lives as long as anything that holds an address in it.</remarks>
internal sealed unsafe class CodeChunk : SafeHandle
{
    private readonly byte* _writable;
    private readonly nuint _size;
    private int _used;

    public CodeChunk(int size)
        : base(0, ownsHandle: true)
    {
        _size = (nuint)size;
        _writable = LargeMemory.TryAllocate(_size, Libc.PROT_READ | Libc.PROT_WRITE | Libc.PROT_EXEC);
        if (_writable != null)
        {
            SetHandle((nint)_writable);
            return;
        }

        int fd = Libc.memfd_create("akvam-code", Libc.MFD_CLOEXEC);
        if (fd < 0)
        {
            throw new Win32Exception();
        }

        try
        {
            if (Libc.ftruncate(fd, size) != 0)
            {
                throw new Win32Exception();
            }

            _writable = Map(fd, Libc.PROT_READ | Libc.PROT_WRITE);
            SetHandle((nint)Map(fd, Libc.PROT_READ | Libc.PROT_EXEC));
        }
        finally
        {
            _ = Libc.close(fd);
        }
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>Where the next code goes.</summary>
    public nint Next => handle + ((_used + 15) & ~15);

    public int Used => _used;

    /// <summary>Where the first code is.</summary>
    public nint Start => handle;

    /// <summary>Where the jump or call leads whose displacement ends at <paramref name="site"/>.</summary>
    public nint TargetOf(nint site) => site + Unsafe.ReadUnaligned<int>(_writable + (site - handle) - 4);

    /// <summary>The next code goes to a place that so many bytes are before; nothing may execute what it overwrites any more.</summary>
    public void MoveTo(int used) => _used = used;

    /// <summary>Copies code in, aligned to 16; its executable address, or 0 when the chunk is full.</summary>
    public nint Add(ReadOnlySpan<byte> code)
    {
        int at = (_used + 15) & ~15;
        if ((nuint)(at + code.Length) > _size)
        {
            return 0;
        }

        code.CopyTo(new Span<byte>(_writable + at, code.Length));
        _used = at + code.Length;
        return handle + at;
    }

    /// <summary>Makes the jump or call whose displacement ends at <paramref name="site"/> lead to <paramref name="target"/>; on the thread that runs the code.</summary>
    public void Patch(nint site, nint target) => Unsafe.WriteUnaligned(_writable + (site - handle) - 4, (int)(target - site));

    /// <summary>Makes the instruction at <paramref name="site"/>, and what follows it up to five bytes, a jump.</summary>
    public void PatchJump(nint site, nint target)
    {
        Patch(site + 5, target);
        _writable[site - handle] = 0xE9;
    }

    protected override bool ReleaseHandle() => Libc.munmap(_writable, _size) == 0 & ((nint)_writable == handle || Libc.munmap((void*)handle, _size) == 0);

    private byte* Map(int fd, int protection)
    {
        void* p = Libc.mmap(null, _size, protection, Libc.MAP_SHARED, fd, 0);
        return (nint)p == -1 ? throw new Win32Exception() : (byte*)p;
    }
}
