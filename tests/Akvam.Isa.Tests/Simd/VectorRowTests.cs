using Akvam.Cpu.Semantics;
using Akvam.Cpu.Semantics.Simd;
using Akvam.Cpu.Semantics.X87;
using Iced.Intel;
using IsaTable = Akvam.Cpu.Semantics.Isa;

namespace Akvam.Isa.Tests.Simd;

public sealed class VectorRowTests
{
    [Fact]
    public void Every_vector_code_has_a_row_or_a_reason()
    {
        Code[] missing = [.. VectorFamilies.Codes().Where(c => !IsaTable.Row(c).IsImplemented && VectorFamilies.WhyNotOffered(c) == null)];
        Assert.Empty(missing);
    }

    [Fact]
    public void Every_x87_code_has_a_row_or_a_reason()
    {
        Code[] missing = [.. X87Families.Codes().Where(c => !IsaTable.Row(c).IsImplemented && X87Families.WhyNotOffered(c) == null)];
        Assert.Empty(missing);
    }

    [Fact]
    public void Vex_rows_need_AVX_state_and_legacy_ones_SSE_or_MMX()
    {
        foreach (Code code in VectorFamilies.Codes().Where(c => VectorFamilies.WhyNotOffered(c) == null))
        {
            Legality expected = code.Encoding() == EncodingKind.VEX ? Legality.Avx : Legality.Sse | Legality.Mmx;
            Assert.True((IsaTable.Row(code).Legality & expected) != 0, code.ToString());
        }
    }
}
