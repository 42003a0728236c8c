using System.Runtime.InteropServices;

namespace Akvam.Preload;

/// <summary>A <see cref="KickPoint"/> as C sees it: <c>akvam_kick</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NativeKick
{
    public long Kicked;
    public long Requests;
    public int KickBit;
    public int WakeFile;
}
