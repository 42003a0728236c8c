using System.Runtime.InteropServices;
using Akvam.Cpu.Native;

namespace Akvam.Cpu.Translator;

/// <summary>Where pages of host code, and copies of what they were made from, have their place. There are no more of them than were asked for.</summary>
/// <remarks>Valid until disposed; a page that was given back may be another one soon, and the copy of a page is gone when its place is needed for that of another.</remarks>
internal sealed unsafe class CodePagePool(int pages, int copies) : IDisposable
{
    private readonly CodePage* _pages = (CodePage*)NativeMemory.Alloc((nuint)pages, (nuint)sizeof(CodePage));
    private readonly byte* _copies = LargeMemory.Allocate((nuint)copies * PageCopy.Size);

    /// <summary>Whose the copies are.</summary>
    private readonly CodePage** _owners = (CodePage**)NativeMemory.AllocZeroed((nuint)copies, (nuint)sizeof(CodePage*));
    private CodePage* _free;
    private int _used, _nextCopy;

    /// <summary>Two more may be taken: a block may lie in as many.</summary>
    public bool HasTwo => pages - _used + (_free == null ? 0 : _free->NextInBucket == null ? 1 : 2) >= 2;

    public CodePage* Take()
    {
        CodePage* page = _free;
        if (page == null)
        {
            return _pages + _used++;
        }

        _free = page->NextInBucket;
        return page;
    }

    /// <summary>Nothing leads to the page any more.</summary>
    public void Give(CodePage* page)
    {
        if (page->Copy.Bytes != null)
        {
            _owners[(page->Copy.Bytes - _copies) / PageCopy.Size] = null;
        }

        page->NextInBucket = _free;
        _free = page;
    }

    /// <summary>Gives a page the place of the oldest copy, of which nothing is known afterwards.</summary>
    public void GiveCopy(CodePage* page)
    {
        CodePage* owner = _owners[_nextCopy];
        if (owner != null)
        {
            owner->Copy = default;
        }

        _owners[_nextCopy] = page;
        page->Copy.Bytes = _copies + ((long)_nextCopy * PageCopy.Size);
        _nextCopy = (_nextCopy + 1) % copies;
    }

    /// <summary>All pages are given back.</summary>
    public void Clear()
    {
        _free = null;
        _used = _nextCopy = 0;
        new Span<nint>(_owners, copies).Clear();
    }

    public void Dispose()
    {
        NativeMemory.Free(_pages);
        LargeMemory.Free(_copies, (nuint)copies * PageCopy.Size);
        NativeMemory.Free(_owners);
    }
}
