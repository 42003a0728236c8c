using System.Runtime.InteropServices;
using Akvam.Cpu.Translator;

namespace Akvam.Isa.Tests.Translator;

/// <summary>What host code of a page was made from is compared with the page, and nothing else of it.</summary>
/// <remarks>Valid: the memory is that of the test.</remarks>
public sealed unsafe class PageCopyTests : IDisposable
{
    private readonly byte* _page = (byte*)NativeMemory.Alloc(PageCopy.Size);
    private readonly byte* _copy = (byte*)NativeMemory.AllocZeroed(PageCopy.Size);

    [Theory]
    [InlineData(1ul)]
    [InlineData(1ul << 63)]
    [InlineData(0x8000_0000_0000_0001ul)]
    [InlineData(0xF0F0_1111_0000_00FFul)]
    [InlineData(ulong.MaxValue)]
    public void Every_byte_of_the_granules_counts_and_no_other(ulong granules)
    {
        new Random(1).NextBytes(new Span<byte>(_page, PageCopy.Size));
        var copy = new PageCopy { Bytes = _copy };
        copy.Take(_page, granules & 0xFFFF_FFFF);
        copy.Take(_page, granules);
        for (int n = 0; n < PageCopy.Size; n++)
        {
            _page[n] ^= 0x10;
            Assert.Equal((granules >> (n / 64) & 1) == 0, copy.Matches(_page));
            _page[n] ^= 0x10;
        }

        Assert.True(copy.Matches(_page));
    }

    [Fact]
    public void What_was_taken_stays()
    {
        new Random(2).NextBytes(new Span<byte>(_page, PageCopy.Size));
        var copy = new PageCopy { Bytes = _copy };
        copy.Take(_page, 3);
        _page[70]++;
        copy.Take(_page, 7);
        Assert.False(copy.Matches(_page));
        Assert.False(copy.Has(64, _page + 64, 8));
        Assert.True(copy.Has(72, _page + 72, 120));
    }

    public void Dispose()
    {
        NativeMemory.Free(_page);
        NativeMemory.Free(_copy);
    }
}
