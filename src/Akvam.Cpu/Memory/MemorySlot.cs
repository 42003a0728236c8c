using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Akvam.Cpu.Memory;

/// <summary>A range of guest-physical memory and the host memory behind it.</summary>
/// <remarks>Valid because the client keeps the host memory mapped until the slot is removed, which happens with all processors parked.</remarks>
public sealed unsafe class MemorySlot : IDisposable
{
    private readonly PhysicalMemory _memory;
    private ulong* _dirty;

    internal MemorySlot(int space, int id, ulong gpa, ulong size, byte* host, bool readOnly, bool logDirty, PhysicalMemory memory)
    {
        _memory = memory;
        Space = space;
        Id = id;
        Gpa = gpa;
        Size = size;
        Host = host;
        ReadOnly = readOnly;
        if (logDirty)
        {
            _dirty = (ulong*)NativeMemory.AllocZeroed((nuint)DirtyWords, sizeof(ulong));
        }
    }

    /// <summary>Address space.</summary>
    public int Space { get; }

    public int Id { get; }

    public ulong Gpa { get; }

    /// <summary>Bytes; a multiple of 4096.</summary>
    public ulong Size { get; }

    public byte* Host { get; }

    public bool ReadOnly { get; }

    public bool LogsDirty => _dirty != null;

    /// <summary>64-bit words of the dirty bitmap.</summary>
    public int DirtyWords => (int)((Size / 4096 + 63) / 64);

    /// <summary>Bitmap of written pages, one bit a page; null when not logged. Changed with Interlocked.</summary>
    public ulong* Dirty => _dirty;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Contains(ulong gpa) => gpa - Gpa < Size;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void MarkDirty(ulong gpa)
    {
        if (_dirty != null)
        {
            ulong page = (gpa - Gpa) >> 12;
            ulong bit = 1ul << (int)(page & 63);
            if ((Interlocked.Or(ref _dirty[page >> 6], bit) & bit) == 0)
            {
                _memory.DirtySink?.PageDirtied(this, page);
            }
        }
    }

    public void Dispose()
    {
        NativeMemory.Free(_dirty);
        _dirty = null;
    }
}
