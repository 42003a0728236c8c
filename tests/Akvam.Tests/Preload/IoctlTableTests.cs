using System.Reflection;
using Akvam.Abi;
using Akvam.Preload;

namespace Akvam.Tests.Preload;

public sealed class IoctlTableTests
{
    /// <summary>Requests whose number says nothing, or something else than what is copied, each with the reason.</summary>
    private static readonly Dictionary<uint, string> s_otherSizes = new()
    {
        [KvmIoctl.KVM_REINJECT_CONTROL] = "numbered as if it had no argument",
    };

    [Fact]
    public void EveryRowCopiesWhatItsNumberSays()
    {
        var rows = SystemIoctls.Table.Rows.Select(row => (row.Request, row.Size))
            .Concat(VmIoctls.Table.Rows.Select(row => (row.Request, row.Size)))
            .Concat(VcpuIoctls.Table.Rows.Select(row => (row.Request, row.Size)))
            .ToList();
        Assert.True(rows.Count > 50);
        Assert.All(rows.Where(row => row.Size != 0 && !s_otherSizes.ContainsKey(row.Request)), row => Assert.Equal((int)(row.Request >> 16 & 0x3FFF), row.Size));
    }

    [Fact]
    public void EveryRowIsARequestOfTheAbi()
    {
        HashSet<uint> known = typeof(KvmIoctl).GetFields(BindingFlags.Public | BindingFlags.Static).Select(field => (uint)field.GetRawConstantValue()!).ToHashSet();
        Assert.All(SystemIoctls.Table.Rows, row => Assert.Contains(row.Request, known));
        Assert.All(VmIoctls.Table.Rows, row => Assert.Contains(row.Request, known));
        Assert.All(VcpuIoctls.Table.Rows, row => Assert.Contains(row.Request, known));
    }
}
