namespace Akvam.Cpu.Memory;

/// <summary>What a memory access is for: what paging and segmentation check it against.</summary>
public enum AccessKind
{
    Read = 0,
    Write = 1,
    Execute = 2,
}
