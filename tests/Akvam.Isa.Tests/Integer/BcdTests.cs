using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Integer;

/// <summary>Decimal adjustment against decimal arithmetic. [SDM2 DAA, DAS, AAA, AAS, AAM, AAD]</summary>
/// <remarks>Valid for the snippets it makes.</remarks>
public sealed unsafe class BcdTests
{
    private static ulong Packed(int n) => (ulong)((n / 10 << 4) | (n % 10));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(9, 1)]
    [InlineData(55, 45)]
    [InlineData(99, 99)]
    [InlineData(38, 47)]
    [InlineData(90, 19)]
    public void Packed_sums_and_differences(int a, int b)
    {
        using var sum = new Snippet(GuestMode.Real, "00D827");
        sum[Register.Rax] = Packed(a);
        sum[Register.Rbx] = Packed(b);
        Assert.Null(sum.Run(2));
        Assert.Equal(Packed((a + b) % 100), sum[Register.Rax]);
        Assert.Equal(a + b > 99, (sum.Flags & Rflags.CF) != 0);

        using var difference = new Snippet(GuestMode.Protected32, "28D82F");
        difference[Register.Rax] = Packed(a);
        difference[Register.Rbx] = Packed(b);
        Assert.Null(difference.Run(2));
        Assert.Equal(Packed((100 + a - b) % 100), difference[Register.Rax]);
        Assert.Equal(a < b, (difference.Flags & Rflags.CF) != 0);
    }

    [Theory]
    [InlineData(3, 4)]
    [InlineData(9, 9)]
    [InlineData(0, 1)]
    [InlineData(7, 3)]
    public void Unpacked_sums_and_differences(int a, int b)
    {
        using var sum = new Snippet(GuestMode.Real, "00D837");
        sum[Register.Rax] = 0x200 | (ulong)a;
        sum[Register.Rbx] = (ulong)b;
        Assert.Null(sum.Run(2));
        Assert.Equal((ulong)(((2 + ((a + b) / 10)) << 8) | ((a + b) % 10)), sum[Register.Rax]);
        Assert.Equal(a + b > 9, (sum.Flags & (Rflags.CF | Rflags.AF)) == (Rflags.CF | Rflags.AF));

        using var difference = new Snippet(GuestMode.Real, "28D83F");
        difference[Register.Rax] = 0x200 | (ulong)a;
        difference[Register.Rbx] = (ulong)b;
        Assert.Null(difference.Run(2));
        Assert.Equal((ulong)(((a < b ? 1 : 2) << 8) | ((10 + a - b) % 10)), difference[Register.Rax]);
    }

    [Fact]
    public void Aam_splits_and_aad_joins_in_any_radix()
    {
        using var m = new Snippet(GuestMode.Real, "D40AD50AD407D400");
        m[Register.Rax] = 0x1234_0063;
        m.Run();
        Assert.Equal(0x1234_0909ul, m[Register.Rax]);
        m.Run();
        Assert.Equal(0x1234_0063ul, m[Register.Rax]);
        m.Run();
        Assert.Equal(0x1234_0E01ul, m[Register.Rax]);
        Assert.Equal(Vector.DE, m.Run());
        Assert.Equal(0x1234_0E01ul, m[Register.Rax]);
    }
}
